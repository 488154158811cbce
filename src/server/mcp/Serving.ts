import {
  type PaginatedRequest,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  type ServerContext
} from "@modelcontextprotocol/server"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"

import type { AccessError } from "../access/Access.ts"
import type { ContentFailure } from "../capability/Content.ts"
import * as Incident from "../observability/Incident.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import type { StateSigner } from "../oauth/StateSigner.ts"
import * as Authorize from "./Authorize.ts"
import type { NothingToComplete } from "./Completions.ts"
import { messageOf, withoutCauses } from "./Content.ts"
import { makeJudgedMessages } from "./JudgedMessages.ts"
import type * as Manifest from "./Manifest.ts"
import type { StateRefused } from "./MultiRoundTrip.ts"

/** What the server itself needs to serve a request. */
type Services = StateSigner | Digest.Digest

/** What ends a request without being a tool's own answer. */
type Failure = AccessError | Authorize.NotPermitted | NothingToComplete | StateRefused | NoSuchPage | ContentFailure

/** Lists are whole: no client was ever given the cursor of another page (MCP, pagination). */
class NoSuchPage extends Data.TaggedError("NoSuchPage") {
  override readonly message = "Invalid cursor: a list comes whole, without one"
}

const invalidParams = (message: string, data?: unknown) =>
  new ProtocolError(ProtocolErrorCode.InvalidParams, message, data)

/** What was asked for, in which request: its name for the log, and the address of a resource. */
interface Asked {
  readonly ctx: ServerContext
  readonly name: string
  readonly uri: string | undefined
}

/**
 * How such a failure looks on the wire (JSON-RPC 2.0, section 5.1; MCP, resources and prompts, error handling). What a
 * resource or a prompt declares is logged as a tool's failure is, and told with its fields and a reference.
 */
const protocolError = (failure: Failure, { ctx, name, uri }: Asked): Effect.Effect<ProtocolError> => {
  switch (failure._tag) {
    case "AccessError":
      return Effect.map(
        Authorize.referred(failure),
        (message) => new ProtocolError(ProtocolErrorCode.InternalError, message)
      )
    case "StateRefused":
      return Effect.succeed(invalidParams(failure.message, { reason: "invalid_request_state" }))
    case "SchemaError":
      return Effect.succeed(invalidParams(`Invalid params: ${failure.message.replaceAll(/\s+/gu, " ")}`))
    case "NotFound":
      return Effect.succeed(
        uri === undefined ? invalidParams(failure.message) : new ResourceNotFoundError(uri, failure.message)
      )
    case "DeclaredFailure":
      return Effect.map(
        Effect.annotateLogs(
          Incident.declared(`${name} failed`, failure.failure),
          Authorize.callerOf(ctx.http?.authInfo)
        ),
        (reference) => {
          const message = `${messageOf(failure.failure, failure.encoded)} Reference ${reference}`
          return new ProtocolError(ProtocolErrorCode.InternalError, message, withoutCauses(failure.encoded))
        }
      )
    case "NotPermitted":
      return Effect.map(Authorize.referred(failure), (message) => invalidParams(message))
    case "NothingToComplete":
    case "NoSuchPage":
      return Effect.succeed(invalidParams(failure.message))
  }
}

/** The SDK sends the message of any error to the client, so a defect becomes one that says nothing but a reference. */
const unexpected =
  ({ mcpReq, http }: ServerContext, name: string) =>
  (cause: Cause.Cause<ProtocolError>) =>
    // A request that was cancelled needs no answer; a program that interrupts itself has failed.
    Cause.hasDies(cause) || (Cause.hasInterruptsOnly(cause) && !mcpReq.signal.aborted)
      ? Incident.report(`${mcpReq.method} failed unexpectedly`, cause).pipe(
          Effect.annotateLogs({ name, ...Authorize.callerOf(http?.authInfo) }),
          Effect.flatMap((reference) =>
            Effect.fail(new ProtocolError(ProtocolErrorCode.InternalError, Incident.apology(reference)))
          )
        )
      : Effect.failCause(cause)

/** How the SDK's handlers, which are promises, run programs. Built once, where the services are. */
export const make = Effect.gen(function* () {
  const runPromise = Effect.runPromiseWith(yield* Effect.context<Services>())
  const { challenge: scopeChallenge, ofServer } = yield* makeJudgedMessages

  /**
   * Failures become protocol errors, and cancelling the request interrupts the program. `name` is for the record and the
   * log: the tool, resource or prompt. `uri`: the address of the resource that was asked for.
   */
  const running =
    ({ noting }: Pick<ReturnType<typeof ofServer>, "noting">) =>
    <A>(program: Effect.Effect<A, Failure, Services>, ctx: ServerContext, name = "", uri?: string): Promise<A> =>
      runPromise(
        program.pipe(
          Effect.catch((failure) => Effect.flatMap(protocolError(failure, { ctx, name, uri }), Effect.fail)),
          Effect.catchCause(unexpected(ctx, name)),
          noting(ctx, name),
          (program) =>
            Telemetry.message(program, {
              key: ctx.http?.authInfo,
              method: ctx.mcpReq.method,
              meta: ctx.mcpReq._meta
            })
        ),
        { signal: ctx.mcpReq.signal }
      )

  const forServer = () => {
    const messages = ofServer()
    const run = running(messages)
    return {
      run,
      /** What the server has to tell of each message that it sends. */
      sent: messages.sent,
      /** Those entries of a list that the caller may use. An empty cursor is none. */
      listed: async <A>(
        entries: ReadonlyArray<Manifest.Entry<A>>,
        { params: { cursor = "" } = {} }: Pick<PaginatedRequest, "params">,
        ctx: ServerContext
      ): Promise<Array<A>> => {
        const visible = Authorize.visible(entries, ctx.http?.authInfo)
        return (await run(cursor === "" ? visible : Effect.fail(new NoSuchPage()), ctx)).map((entry) => entry.listed)
      }
    }
  }

  return {
    /** What one server serves with. */
    forServer,
    /** The scopes to step up for before a request for what has this name is served. */
    scopeChallenge
  }
})
