import { isJsonContentType, readRequestBody, specTypeSchemas } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

import { messages } from "../account/Session.ts"
import { refusal } from "../account/SessionFailure.ts"
import { faultOf } from "../mcp/InvalidParams.ts"
import { maxRequestBodySize } from "../mcp/StatelessLane.ts"

/** How many levels deep JSON may be nested, because later code recurses into it. */
const maxDepth = 128

/** Whether JSON is nested deeper than that, found in the text before it is parsed. */
export const isTooDeep = (json: string): boolean => {
  let depth = 0
  let quoted = false
  for (let at = 0; at < json.length && depth <= maxDepth; at++) {
    const code = json.charCodeAt(at)
    if (code === quote) quoted = !quoted
    else if (quoted) at += code === backslash ? 1 : 0
    // In ASCII, [ and { differ in one bit, as do ] and }.
    else if ((code | 0x20) === 0x7b) depth++
    else if ((code | 0x20) === 0x7d) depth--
  }
  return depth > maxDepth
}

const quote = 0x22
const backslash = 0x5c

/** `JSON.parse` turns numbers that are too large for a double into infinity: schemas have to refuse it (`Finite`). */
const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/** The message that a request carries. */
export interface Posted {
  readonly text: string
  readonly json: unknown
}

/** From how many bytes on a message is taken to the object of a user only once the token has proved good: a stranger's is not. */
export const mostUnproven = 64 * 1024

/** The largest batch of messages (MCP 2025-03-26): one request shall not start a hundred tools. */
const maxBatch = 10

/** The longest id of a request: it comes back with each answer. */
const maxId = 256

const isId = Schema.is(Schema.Union([Schema.String, Schema.Finite]))
const hasLongId = Schema.is(Schema.Struct({ id: Schema.String.check(Schema.isMinLength(maxId + 1)) }))

const invalid = (why: string, id?: unknown) => refusal(400, -32600, `Invalid Request: ${why}`, {}, id)

/** Refuses what is no message of JSON-RPC (2.0, sections 4 to 6) as MCP has them: ids are strings or integers. */
const refusedMessage = (message: unknown): Response | undefined => {
  if (!Predicate.isObject(message)) return invalid("a message is a JSON object")
  const schema =
    "method" in message
      ? specTypeSchemas["id" in message ? "JSONRPCRequest" : "JSONRPCNotification"]
      : specTypeSchemas["error" in message ? "JSONRPCErrorResponse" : "JSONRPCResultResponse"]
  const fault = faultOf(schema, message)
  if (hasLongId(message)) return refusal(400, -32600, `An id may have ${maxId} characters`)
  if (fault === undefined) return undefined
  const id = isId(message["id"]) ? message["id"] : null
  return fault.inParams ? refusal(400, -32602, `Invalid params: ${fault.words}`, {}, id) : invalid(fault.words, id)
}

/**
 * Reads what a client posted: JSON of at most 1 MiB and 128 levels, a message or a batch of 1 to 10. Fails with the
 * answer that refuses it. What comes after need not check any of this again.
 */
export const readPosted = Effect.fnUntraced(function* (
  request: Request
): Effect.fn.Return<Posted | undefined, Response> {
  if (request.method !== "POST" || !isJsonContentType(request.headers.get("content-type"))) return undefined
  const body = yield* Effect.promise(() => readRequestBody(request, maxRequestBodySize))
  if (body.tooLarge) return yield* Effect.fail(refusal(413, -32000, "A message may have 1 MiB"))
  if (isTooDeep(body.text)) return yield* Effect.fail(invalid(`a message may be nested ${maxDepth} levels deep`))
  const json = decodeJson(body.text)
  if (Option.isNone(json)) return yield* Effect.fail(refusal(400, -32700, "Parse error: Invalid JSON"))
  const posted = messages(json.value)
  if (posted.length === 0) return yield* Effect.fail(invalid("a batch holds a message or more"))
  if (posted.length > maxBatch) {
    return yield* Effect.fail(refusal(400, -32600, `A batch may hold ${maxBatch} messages`))
  }
  for (const message of posted) {
    const refused = refusedMessage(message)
    if (refused !== undefined) return yield* Effect.fail(refused)
  }
  return { text: body.text, json: json.value }
})
