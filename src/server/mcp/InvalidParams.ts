import {
  type JSONRPCMessage,
  McpServer,
  ProtocolErrorCode,
  type StandardSchemaV1Sync,
  type Transport
} from "@modelcontextprotocol/server"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const Issue = Schema.Struct({
  path: Schema.Array(Schema.Union([Schema.String, Schema.Finite])),
  message: Schema.String
})

/** The issues that the SDK's validation finds in a message. `errors`: the issues of each member of a union. */
const Issues = Schema.Array(
  Schema.Struct({ ...Issue.fields, errors: Schema.optionalKey(Schema.Array(Schema.Array(Issue))) })
)

const decodeIssues = Schema.decodeUnknownOption(Issues)
const parseIssues = Schema.decodeOption(Schema.fromJsonString(Issues))

/** How many issues are named at most; a message can have any number. */
const most = 5

const inWords = ({ path, message }: typeof Issue.Type): string =>
  [...path, message.replace(/^Invalid input: /u, "")].join(": ")

/** The issues in words, each after its path. */
const words = (issues: typeof Issues.Type): string =>
  issues
    .slice(0, most)
    .map(({ path, message, errors = [] }) => {
      const [root, ...inner] = path
      const place = (root === "params" && inner.length > 0 ? inner : path).join(".")
      const first = errors.flatMap(([issue]) => (issue === undefined ? [] : [inWords(issue)]))
      const fault = inWords({ path: [], message: first.length > 0 ? first.join(" or ") : message })
      return place === "" ? fault : `${place}: ${fault}`
    })
    .join("; ")

/** Why a value does not match this schema, and whether only its `params` are wrong. Undefined if it matches. */
export const faultOf = (schema: StandardSchemaV1Sync, value: unknown) => {
  const { issues: found } = schema["~standard"].validate(value)
  if (found === undefined) return undefined
  const issues = Option.getOrElse(decodeIssues(found), () => [])
  return { words: words(issues), inParams: issues.length > 0 && issues.every(({ path: [root] }) => root === "params") }
}

/** The SDK answers a message that fails validation with the issues as JSON, mostly as an internal error. */
const untold = /^(?:Invalid tools\/call (request|result): )?(\[\s*\{[^]*\])$/u

const told = (message: JSONRPCMessage): JSONRPCMessage => {
  if (!("error" in message)) return message
  const [, of, json = ""] = untold.exec(message.error.message) ?? []
  const issues = parseIssues(json)
  if (Option.isNone(issues)) return message
  const error =
    of === "result"
      ? { code: ProtocolErrorCode.InternalError, message: "The tool's answer is no result of a tool" }
      : { code: ProtocolErrorCode.InvalidParams, message: `Invalid params: ${words(issues.value)}` }
  return { ...message, error }
}

/** A server that answers parameters of the wrong type with -32602 and words (JSON-RPC 2.0, section 5.1). */
export class ProtocolServer extends McpServer {
  readonly #sent: (message: JSONRPCMessage) => void

  /** `sent` hears of each message before it goes out. */
  constructor(sent: (message: JSONRPCMessage) => void, ...server: ConstructorParameters<typeof McpServer>) {
    super(...server)
    this.#sent = sent
  }

  override connect(transport: Transport): Promise<void> {
    const send = transport.send.bind(transport)
    transport.send = (message, options) => {
      this.#sent(message)
      return send(told(message), options)
    }
    return super.connect(transport)
  }
}
