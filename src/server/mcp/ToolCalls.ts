import type { CallToolResult } from "@modelcontextprotocol/server"
import * as AiError from "effect/ai/AiError"
import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as Stream from "effect/Stream"

import type { CurrentUser } from "../access/CurrentUser.ts"
import { CurrentPrincipal } from "../domain/Principal.ts"
import * as Incident from "../observability/Incident.ts"
import type { Elicitation } from "../capability/Elicitation.ts"
import { block, text } from "./Content.ts"
import * as Manifest from "./Manifest.ts"

/** What a tool may ask for about the request that it serves, beside what its layer was built with. */
export type RequestServices = CurrentUser | CurrentPrincipal | Elicitation

type Handlers = Record<string, Tool.Any>
type Run = (
  name: string,
  args: unknown,
  id: undefined,
  options: SchemaAST.ParseOptions
) => Effect.Effect<
  Stream.Stream<Tool.HandlerResult<Tool.Any>, unknown, RequestServices>,
  AiError.AiError,
  RequestServices
>
type Unmet<Tools extends Handlers> = Exclude<Tool.HandlerServices<Tools[keyof Tools]>, RequestServices>

/** The tools of the server, as the protocol sees them. */
export class ToolCalls extends Context.Service<
  ToolCalls,
  {
    readonly entries: ReadonlyArray<ReturnType<typeof Manifest.tool>>
    /**
     * Runs a tool and turns whatever comes of it into the tool's answer (MCP, tools, error handling): its result as
     * content and structured content; wrong arguments as `isError` that names them; the tool's own failures as
     * `isError` with their message, anything else without, both with a reference to the log. What is logged on the way
     * names the tool, the user and the client. Interrupting it interrupts the tool.
     */
    readonly call: (name: string, args: unknown) => Effect.Effect<CallToolResult, never, RequestServices>
  }
>()("mcp/ToolCalls") {
  /** Serves a toolkit. Services that its handlers need beside the request's own are taken when the layer is built. */
  static readonly layer = <Tools extends Handlers>(
    toolkit: Toolkit.Toolkit<Tools>
  ): Layer.Layer<ToolCalls, never, Tool.HandlersFor<Tools> | Unmet<Tools>> =>
    Layer.effect(
      ToolCalls,
      Effect.gen(function* () {
        const unmet = yield* Effect.context<Unmet<Tools>>()
        const { handle, tools } = yield* toolkit
        // `handle` is typed by the name of a tool, which here arrives from a client. What the handlers need is provided:
        // the request's services by the caller, the others from `unmet`.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        const run = handle as Run

        return ToolCalls.of({
          entries: Object.entries(tools).map(([name, tool]) => Manifest.tool(name, tool)),
          call: Effect.fn("ToolCalls.call")((name, args) => {
            const isDeclared = declaredBy(Object.hasOwn(tools, name) ? tools[name] : undefined)
            return run(name, args ?? {}, undefined, strict).pipe(
              Stream.unwrap,
              Stream.runLast,
              Effect.map(Option.getOrThrow),
              Effect.flatMap((answer) =>
                answer.isFailure ? declared(name, answer.result) : Effect.succeed(success(answer))
              ),
              Effect.catchCause((cause) => failure(name, isDeclared, cause)),
              (answered) =>
                Effect.flatMap(CurrentPrincipal, ({ userId, clientId }) =>
                  Effect.annotateLogs(answered, { tool: name, userId, clientId })
                ),
              Effect.provideContext(unmet)
            )
          })
        })
      })
    )
}

/** Every fault of the arguments is named at once, unknown names among them. */
const strict: SchemaAST.ParseOptions = { onExcessProperty: "error", errors: "all" }

const declaredBy = (tool: Tool.Any | undefined) => (tool === undefined ? () => false : Schema.is(tool.failureSchema))

export const toolError = (message: string): CallToolResult => ({ isError: true, content: [text(message)] })

/** What the tool says for a model to read; without such words, its structured output as JSON (MCP, tools). */
const success = ({ encodedResult, modelOutput }: Tool.HandlerResult<Tool.Any>): CallToolResult => ({
  content: modelOutput?.map(block) ?? [text(JSON.stringify(encodedResult))],
  structuredContent: encodedResult
})

/** A failure that the tool declares: its message, or what it is made of if it has none, and where the log has it. */
const declared = Effect.fnUntraced(function* (name: string, error: unknown) {
  const reference = yield* Incident.declared(`Tool ${name} failed`, error)
  const said =
    Predicate.hasProperty(error, "message") && Predicate.isString(error.message) ? error.message : JSON.stringify(error)
  return toolError(`${said} Reference ${reference}`)
})

const failure = Effect.fnUntraced(function* (
  name: string,
  isDeclared: (error: unknown) => boolean,
  cause: Cause.Cause<unknown>
) {
  if (Cause.hasInterruptsOnly(cause)) return yield* Effect.interrupt
  const failed = Cause.findErrorOption(cause)
  if (Option.isSome(failed) && !Cause.hasDies(cause)) {
    const error = failed.value
    if (AiError.isAiError(error) && error.reason._tag === "ToolParameterValidationError") {
      return toolError(`Wrong arguments for ${name}: ${error.reason.description}`)
    }
    if (isDeclared(error)) return yield* declared(name, error)
  }
  const reference = yield* Incident.report(`Tool ${name} failed unexpectedly`, cause)
  return toolError(Incident.apology(reference))
})
