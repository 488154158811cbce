import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import type { Caller } from "../access/Caller.ts"
import * as Policy from "../access/Policy.ts"
import * as UserSnapshot from "../access/UserSnapshot.ts"
import { ClientLog } from "../capability/ClientLog.ts"
import { Elicitation } from "../capability/Elicitation.ts"
import { Progress } from "../capability/Progress.ts"
import type { RequestServices } from "../capability/RequestServices.ts"
import type * as Question from "../capability/Question.ts"
import * as Authorize from "../mcp/Authorize.ts"
import * as ToolCall from "../mcp/ToolCall.ts"
import { Recorder } from "./Recorder.ts"
import type { Reply } from "./Replies.ts"
import { clerkMemberships, clerkUser, principalOf, type TestCaller } from "./TestUser.ts"

/** The tool asks something of a client that cannot be asked: in the protocol, an error that ends the call. */
export class CannotBeAsked extends Schema.TaggedError<CannotBeAsked>()("CannotBeAsked", { key: Schema.String }) {
  override get message(): string {
    return `The tool asks "${this.key}" of a client that declares no such capability. Give the call its answers.`
  }
}

/** Who calls, and what the client does meanwhile. */
export interface CallOptions {
  /** The user, and the token that the call carries. Ada without a role, with `mcp:tools` alone, unless it is given. */
  readonly as?: TestCaller
  /** What the client answers, by the key of the question. Without it the client declares that it cannot be asked. */
  readonly answers?: Readonly<Record<string, Reply>>
  /** What the client declares that it can be asked: every kind of question, if there are answers. */
  readonly supports?: ReadonlyArray<Question.InputRequest["_tag"]>
  readonly recorder?: Recorder
}

type Tools = Record<string, Tool.Any>

const everyKind: ReadonlyArray<Question.InputRequest["_tag"]> = ["Form", "Sampling", "Roots"]

/**
 * Runs a program that asks, with the answers of the script: as the server does, from its start for every round, so that
 * what is not harmless to repeat before a question shows itself.
 */
const rounds = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  { answers, supports = answers === undefined ? [] : everyKind }: CallOptions,
  recorder: Recorder
): Effect.Effect<A, E | CannotBeAsked, Exclude<R, Elicitation>> => {
  const round = (
    replies: Readonly<Record<string, Reply>>
  ): Effect.Effect<A, E | CannotBeAsked, Exclude<R, Elicitation>> => {
    let open: Readonly<Record<string, Question.InputRequest>> | undefined
    const elicitation = Elicitation.of({
      supports: (kind) => supports.includes(kind),
      reply: (key) => replies[key],
      suspend: (requests) =>
        Effect.suspend(() => {
          open = requests
          return Effect.interrupt
        })
    })
    const next = Effect.fnUntraced(function* (requests: Readonly<Record<string, Question.InputRequest>>) {
      const heard: Record<string, Reply> = { ...replies }
      for (const [key, request] of Object.entries(requests)) {
        recorder.questions.push({ key, request })
        if (!supports.includes(request._tag)) return yield* new CannotBeAsked({ key })
        const reply = answers?.[key]
        if (reply === undefined) return yield* Effect.die(new Error(`the script has no answer to "${key}"`))
        if (key in replies) return yield* Effect.die(new Error(`the answer to "${key}" does not fit the question`))
        heard[key] = reply
      }
      return yield* round(heard)
    })
    return Effect.provideService(program, Elicitation, elicitation).pipe(
      Effect.catchCauseIf(Cause.hasInterruptsOnly, (cause) =>
        open === undefined ? Effect.failCause(cause) : next(open)
      )
    )
  }
  return round({})
}

/** The caller of a request, whose facts come by the way that Clerk's answers take. */
const callerOf = (as: TestCaller): Caller => ({
  principal: principalOf(as),
  facts: { _tag: "Known", user: UserSnapshot.fromClerk(clerkUser(as), clerkMemberships(as), 0) }
})

const isInvalid = Schema.is(ToolCall.InvalidArguments)

/**
 * Calls the tools of a toolkit alone, without a server: `callTool(toolkit, layer)(name, args, { as })`. The tool's
 * policy is applied to `as`; name, arguments and result have the tool's own types, as a client sees them: encoded. What
 * the model reads beside the result is in the `recorder`. A call fails with what the tool declares, with `NotPermitted`
 * if the policy refuses `as`, with `InvalidArguments`, and with `CannotBeAsked`. A defect stays a defect, so that a test
 * shows where it comes from.
 *
 * `layer` is what a tool file exports, with the team's services of the test provided to it. It is built anew for each
 * call; what it leaves open is asked of the test, which so can keep one service for several calls.
 *
 *     const call = callTool(toolkit, Layer.provide(layer, Layer.succeed(Rates, { of: () => Effect.succeed(2) })))
 *     assert.deepStrictEqual(yield* call("convert", { euros: 3 }, { as: { role: "accountant" } }), { dollars: 6 })
 */
export const callTool =
  <T extends Tools, E, R>(toolkit: Toolkit.Toolkit<T>, layer: Layer.Layer<Tool.HandlersFor<T>, E, R>) =>
  <Name extends keyof T & string>(
    name: Name,
    args: Tool.ParametersEncoded<T[Name]>,
    options: CallOptions = {}
  ): Effect.Effect<
    Tool.SuccessEncoded<T[Name]>,
    E | Tool.Failure<T[Name]> | Authorize.NotPermitted | ToolCall.InvalidArguments | CannotBeAsked,
    R | Exclude<Tool.HandlerServices<T[Name]>, RequestServices>
  > => {
    const { as = {}, recorder = new Recorder() } = options

    const call = Effect.gen(function* () {
      const handlers = yield* Layer.build(layer)
      const tool = toolkit.tools[name]
      if (tool === undefined) return yield* Effect.die(new TypeError(`the toolkit has no tool ${name}`))
      const handler = Context.getUnsafe(handlers, Context.Service<ToolCall.Handler>(tool.id))
      const execute = ToolCall.execution(tool, handler, (handling) => handling)
      const isDeclared = Schema.is(tool.failureSchema)
      const executed = yield* Authorize.authorize(
        Context.get(tool.annotations, Policy.Required),
        Authorize.toAuthInfo(callerOf(as), ""),
        // What the tool does not declare is a defect there, so that it shows where it comes from.
        rounds(
          execute(args).pipe(
            Effect.catch((error) => (isDeclared(error) || isInvalid(error) ? Effect.fail(error) : Effect.die(error)))
          ),
          options,
          recorder
        )
      ).pipe(
        Effect.catchTag("AccessError", () => Effect.die(new TypeError("the caller is not in the organization named"))),
        Effect.provideService(Progress, (report) => Effect.sync(() => void recorder.progress.push(report))),
        Effect.provideService(ClientLog, (entry) => Effect.sync(() => void recorder.log.push(entry)))
      )
      recorder.content = ToolCall.contentOf(tool, executed)
      return executed.encoded
    })
    // The types of this tool say what its schemas check.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return Effect.scoped(call) as never
  }
