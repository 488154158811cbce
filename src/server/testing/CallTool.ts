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

import { Access } from "../access/Access.ts"
import type { CurrentUser } from "../access/CurrentUser.ts"
import * as Policy from "../access/Policy.ts"
import * as UserSnapshot from "../access/UserSnapshot.ts"
import { ClientLog } from "../capability/ClientLog.ts"
import { Elicitation } from "../capability/Elicitation.ts"
import { Progress } from "../capability/Progress.ts"
import type * as Question from "../capability/Question.ts"
import type { CurrentPrincipal } from "../domain/Principal.ts"
import * as Authorize from "../mcp/Authorize.ts"
import { block, text } from "../mcp/Content.ts"
import { Recorder } from "./Recorder.ts"
import type { Reply } from "./Replies.ts"
import { clerkUser, principalOf, type TestCaller } from "./TestUser.ts"

/** The arguments do not fit the tool's parameters. `message` names each of them, as the client is told. */
export class InvalidArguments extends Schema.TaggedError<InvalidArguments>()("InvalidArguments", {
  message: Schema.String
}) {}

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

/** What the server gives a tool for the request that it serves. */
type RequestServices = CurrentUser | CurrentPrincipal | Elicitation

type Tools = Record<string, Tool.Any>

type Run = (
  name: string,
  args: unknown,
  id: undefined,
  options: SchemaAST.ParseOptions
) => Effect.Effect<Stream.Stream<Tool.HandlerResult<Tool.Any>, unknown, RequestServices>, unknown, RequestServices>

/** Unknown arguments are refused, and every fault is named, as in the server. */
const strict: SchemaAST.ParseOptions = { onExcessProperty: "error", errors: "all" }

const everyKind: ReadonlyArray<Question.InputRequest["_tag"]> = ["Form", "Sampling", "Roots"]

const invalidArguments = (error: unknown) =>
  AiError.isAiError(error) && error.reason._tag === "ToolParameterValidationError"
    ? new InvalidArguments({ message: error.reason.description })
    : error

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

/** The facts of the caller, by the way that Clerk's answers take. */
const accessOf = (as: TestCaller) =>
  Layer.succeed(Access, {
    current: () => Effect.succeed(UserSnapshot.fromClerk(clerkUser(as), as.organizations ?? [], 0))
  })

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
    E | Tool.Failure<T[Name]> | Authorize.NotPermitted | InvalidArguments | CannotBeAsked,
    R | Exclude<Tool.HandlerServices<T[Name]>, RequestServices>
  > => {
    const { as = {}, recorder = new Recorder() } = options

    const call = Effect.gen(function* () {
      const { handle, tools } = yield* toolkit
      const tool = tools[name]
      if (tool === undefined) return yield* Effect.die(new TypeError(`the toolkit has no tool ${name}`))
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- typed by the name, which is not known here
      const run = handle as Run
      const answered = run(name, args, undefined, strict).pipe(
        Stream.unwrap,
        Stream.runLast,
        Effect.map(Option.getOrThrow),
        Effect.flatMap((answer) => (answer.isFailure ? Effect.fail(answer.result) : Effect.succeed(answer))),
        Effect.mapError(invalidArguments)
      )
      const { encodedResult, modelOutput } = yield* Authorize.authorize(
        Context.get(tool.annotations, Policy.Required),
        Authorize.toAuthInfo(principalOf(as), ""),
        rounds(answered, options, recorder)
      ).pipe(
        Effect.provide(accessOf(as)),
        Effect.provideService(Progress, (report) => Effect.sync(() => void recorder.progress.push(report))),
        Effect.provideService(ClientLog, (entry) => Effect.sync(() => void recorder.log.push(entry)))
      )
      recorder.content = modelOutput?.map(block) ?? [text(JSON.stringify(encodedResult))]
      return encodedResult
    })

    // What a handler fails with beside its declared failure is a defect; the types of this tool say the rest.
    const typed = call.pipe(
      Effect.provide(layer),
      Effect.catch((error: unknown) => {
        const tool = toolkit.tools[name]
        const known =
          error instanceof InvalidArguments ||
          error instanceof CannotBeAsked ||
          (Predicate.isTagged(error, "NotPermitted") && error instanceof Authorize.NotPermitted) ||
          (tool !== undefined && Schema.is(tool.failureSchema)(error))
        return known ? Effect.fail(error) : Effect.die(error)
      })
    )
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return typed as never
  }
