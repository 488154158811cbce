import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/server"
import type * as Tool from "effect/ai/Tool"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

import type { RequestServices } from "../capability/RequestServices.ts"
import { ResultLimit } from "../capability/ResultLimit.ts"
import { type Middleware, ToolRefused } from "../capability/ToolMiddleware.ts"
import { CurrentPrincipal } from "../domain/Principal.ts"
import * as Incident from "../observability/Incident.ts"
import { block, messageOf, text, withoutCauses } from "./Content.ts"
import * as Manifest from "./Manifest.ts"

/** The arguments do not fit the tool's parameters. `message` names every fault. */
export class InvalidArguments extends Schema.TaggedError<InvalidArguments>()("InvalidArguments", {
  message: Schema.String
}) {}

/** What a tool returned, and what of it goes out. */
interface Executed {
  readonly value: unknown
  /** `value`, as the tool's success schema encodes it. */
  readonly encoded: unknown
}

/**
 * A tool with its handler: decodes arguments, runs the handler within the middleware, encodes what it returns. The one
 * way in which tools are called, by the server and by the kit for tests.
 */
export const execution = (tool: Tool.Any, { context, handler }: Handler, wrap: Middleware) => {
  const { parametersSchema, successSchema } = provided(tool)
  const decode = Schema.decodeUnknownEffect(parametersSchema)
  const encode = Schema.encodeUnknownEffect(successSchema)
  return Effect.fnUntraced(function* (
    args: unknown
  ): Effect.fn.Return<Executed, InvalidArguments | Failed, RequestServices> {
    const decoded = yield* Effect.mapError(
      decode(args ?? {}, strict),
      ({ message }) => new InvalidArguments({ message })
    )
    const principal = yield* CurrentPrincipal
    const handling = Effect.updateContext(handler(decoded, noPreliminaryResults), (input: Context.Context<never>) =>
      Context.merge(context, input)
    )
    const value = yield* wrap(handling, { tool, principal, arguments: decoded })
    // A result that does not fit its schema is a fault of the tool, whatever failures it declares.
    return { value, encoded: yield* Effect.orDie(encode(value)) }
  })
}

/** What a tool says for a model to read; without such words, its structured output as JSON (MCP, tools). */
export const contentOf = ({ toModelOutput }: Tool.Any, { value, encoded }: Executed): Array<ContentBlock> =>
  toModelOutput?.(value).map(block) ?? [
    text(typeof encoded === "string" ? encoded : (JSON.stringify(encoded) ?? "Done"))
  ]

/** The member of `_meta` under which a client finds the fields of a failure that a tool declares. */
const failureKey = "clerk-mcp-worker/failure"

/**
 * Runs one tool and turns whatever comes of it into the tool's answer (MCP, tools, error handling): its result as content
 * and structured content; wrong arguments as `isError` that names them; failures that the tool declares as `isError` with
 * their message, and their fields in `_meta`; anything else as `isError` that says nothing. Failures carry a reference to
 * the log, whose lines name the tool, the user and the client. Interrupting it interrupts the tool.
 */
export const make = (tool: Tool.Any, handler: Handler, wrap: Middleware) => {
  const { name, successSchema, failureSchema } = provided(tool)
  const execute = execution(tool, handler, wrap)
  const encodeFailure = Schema.encodeUnknownEffect(Schema.toCodecJson(failureSchema))
  const isDeclared = Schema.is(failureSchema)
  const isObject = Manifest.isObject(successSchema)
  const limited = withinLimit(tool)

  const success = (executed: Executed): CallToolResult => {
    const content = contentOf(tool, executed)
    return limited(isObject ? { content, structuredContent: executed.encoded } : { content })
  }

  const declared = Effect.fnUntraced(function* (failure: unknown) {
    const fields = isDeclared(failure) ? yield* encodeFailure(failure) : undefined
    const reference = yield* Incident.declared(`Tool ${name} failed`, failure)
    const result = toolError(`${messageOf(failure, fields)} Reference ${reference}`)
    return fields === undefined ? result : { ...result, _meta: { [failureKey]: withoutCauses(fields) } }
  })

  const failed = (cause: Cause.Cause<InvalidArguments | Failed>): Effect.Effect<CallToolResult, Failed> => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
    const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
    if (failure === undefined || Cause.hasDies(cause)) return unexpected(cause)
    if (isInvalid(failure)) return Effect.succeed(toolError(`Wrong arguments for ${name}: ${failure.message}`))
    return isDeclared(failure) || isRefused(failure) ? declared(failure) : unexpected(cause)
  }

  const unexpected = (cause: Cause.Cause<unknown>) =>
    Effect.map(Incident.report(`Tool ${name} failed unexpectedly`, cause), (reference) =>
      toolError(Incident.apology(reference))
    )

  return Effect.fn("ToolCall.run")((args: unknown): Effect.Effect<CallToolResult, never, RequestServices> =>
    Effect.flatMap(CurrentPrincipal, ({ userId, clientId }) =>
      Effect.map(execute(args), success).pipe(
        Effect.catchCause(failed),
        // A failure that its own schema does not encode.
        Effect.catchCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.interrupt : unexpected(cause))),
        Effect.annotateLogs({ tool: name, userId, clientId })
      )
    )
  )
}

/** What a handler fails with: nobody but its tool knows more about it. */
interface Failure {
  readonly message?: string
}

/** Why a handler gave no result that can be sent. */
type Failed = Failure | ToolRefused

/** The handler of a tool as a toolkit keeps it, with the services that it was built with. */
export interface Handler {
  readonly context: Context.Context<never>
  readonly handler: (args: unknown, context: typeof noPreliminaryResults) => Effect.Effect<unknown, Failure>
}

/** A tool whose schemas have what they need. */
type Provided = Tool.Tool<
  string,
  {
    readonly parameters: Schema.Codec<unknown, unknown>
    readonly success: Schema.Codec<unknown, unknown>
    readonly failure: Schema.Codec<unknown, unknown>
    readonly failureMode: Tool.FailureMode
  }
>

// What their transformations need, the catalogue provides around every call.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const provided = (tool: Tool.Any) => tool as Provided

/** Every fault of the arguments is named at once, unknown names among them. */
const strict: SchemaAST.ParseOptions = { onExcessProperty: "error", errors: "all" }

/** A client gets progress along the way, and the result at the end. */
const noPreliminaryResults = { preliminary: () => Effect.void }

const isRefused = Schema.is(ToolRefused)
const isInvalid = Schema.is(InvalidArguments)

/** A failure that a model and a person read: it is the tool's answer, not an error of the protocol. */
export const toolError = (message: string): CallToolResult => ({ isError: true, content: [text(message)] })

/** What a block of content carries. */
const payloadOf = (block: ContentBlock): string => {
  if (block.type === "text") return block.text
  if (block.type === "image" || block.type === "audio") return block.data
  if (block.type === "resource") return "blob" in block.resource ? block.resource.blob : block.resource.text
  return block.uri
}

/** The bytes of texts in UTF-8, if they are more than allowed. A UTF-16 unit has at most 3, so that most need no count. */
const bytesOver = (texts: ReadonlyArray<string>, maxBytes: number): number | undefined => {
  const most = texts.reduce((sum, { length }) => sum + length * 3, 0)
  if (most <= maxBytes) return undefined
  const bytes = texts.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0)
  return bytes > maxBytes ? bytes : undefined
}

const inUnits = (bytes: number): string =>
  bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / (1024 * 1024)).toFixed(1)} MiB`

/** Replaces what is larger than the tool's limit by an error that tells the model to ask for less. */
const withinLimit = (tool: Tool.Any) => {
  const { maxBytes, advice = Manifest.howToAskForLess(tool) } = Context.get(tool.annotations, ResultLimit)
  return (result: CallToolResult): CallToolResult => {
    const beside = result.structuredContent !== undefined && tool.toModelOutput !== undefined
    const structured = beside ? [JSON.stringify(result.structuredContent)] : []
    const bytes = bytesOver([...result.content.map(payloadOf), ...structured], maxBytes)
    if (bytes === undefined) return result
    return toolError(
      `The result is too large: ${inUnits(bytes)}, where ${inUnits(maxBytes)} are allowed. Nothing of it was sent. ${advice}`
    )
  }
}
