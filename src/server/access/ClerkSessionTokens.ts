import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { decodeJwt } from "jose"

import { ClerkApi } from "../clerk/ClerkApi.ts"
import { ClerkError, ClerkUnexpected, type ClerkSessionEnded } from "../clerk/ClerkError.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import type { ClerkSessionId } from "../domain/Principal.ts"
import * as Log from "../observability/Log.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import { Lru } from "./Lru.ts"
import * as SingleFlight from "./SingleFlight.ts"

/** Why there is no token. */
export type NoToken = ClerkError

/** How much of its life a token has to have left, in milliseconds; half of it where that is less. */
const margin = Duration.toMillis("10 seconds")
/** How long an answer about a session holds, in milliseconds. */
const aliveFor = Duration.toMillis("60 seconds")
/** How long an app that refuses one token after the other is left with the last one, in milliseconds. */
const renewedFor = Duration.toMillis("5 seconds")
/** How long a session counts as alive that Clerk does not speak about, in milliseconds. */
const doubtFor = Duration.toMillis("5 minutes")
/** How often Clerk is asked once more for a token that is needed. */
const retries = 2
/** The longest that somebody waits for that, in milliseconds, before Clerk is asked again. */
const longestPause = 2_000

/** The pauses between, unless Clerk names a time. */
const pauses = Schedule.exponential("200 millis").pipe(
  Schedule.setInputType<ClerkError>(),
  Schedule.modifyDelay(({ duration, input: { reason } }) =>
    Effect.succeed(
      reason._tag === "ClerkUnavailable" && reason.retryAfter !== undefined
        ? Duration.seconds(reason.retryAfter)
        : duration
    )
  )
)

/** Whether it may help to ask again soon. */
const isPassing = ({ reason }: ClerkError) =>
  reason._tag === "ClerkUnavailable" && (reason.retryAfter ?? 0) * 1_000 <= longestPause

/**
 * Clerk gives no token, and trying again does not help, but the session is alive: `ClerkApi.sessionToken` fails with
 * a refusal of the token only then.
 */
const isAlive = (reason: ClerkError["reason"]): boolean =>
  (reason._tag === "ClerkMisconfigured" || reason._tag === "ClerkUnexpected") && reason.operation === operation

const operation = "sessions.getToken"

/** Clerk has not said for too long whether the session is alive. Trouble that does not pass is the operator's. */
export class ClerkSessionUnknown extends Schema.TaggedError<ClerkSessionUnknown>()("ClerkSessionUnknown", {
  passes: Schema.Boolean
}) {
  override get message(): string {
    return this.passes
      ? "Your session cannot be checked right now. Please try again in a moment."
      : "Your session cannot be checked. The operator of this server has to correct its Clerk settings."
  }
}

/** Clerk's short-lived tokens of sessions. Who gets one learns that the session is alive. */
export class ClerkSessionTokens extends Context.Service<
  ClerkSessionTokens,
  {
    /**
     * Fails once Clerk says that the session has ended, which it is asked again after a minute. Asks once: a session
     * that Clerk does not speak about counts as alive for 5 minutes more. One that is alive without a token, for which
     * there is no template, say, is alive all the same; the log says so, once.
     */
    readonly alive: (id: ClerkSessionId) => Effect.Effect<void, ClerkSessionEnded | ClerkSessionUnknown>
    /** A token that is good for some seconds yet. Asks up to three times. */
    readonly current: (id: ClerkSessionId) => Effect.Effect<Redacted.Redacted, NoToken>
    /** Another token in place of one that somebody refused; the same one, where it has just been replaced. */
    readonly renewed: (id: ClerkSessionId, refused: Redacted.Redacted) => Effect.Effect<Redacted.Redacted, NoToken>
  }
>()("access/ClerkSessionTokens") {
  static readonly layer = Layer.effect(
    ClerkSessionTokens,
    Effect.gen(function* () {
      const clerk = yield* ClerkApi
      const share = SingleFlight.make<Token, NoToken>(yield* KeepAlive)
      const tokens = new Lru<ClerkSessionId, Token>()
      const breaker = CircuitBreaker.make<ClerkSessionId>()
      const renewals = new Lru<ClerkSessionId, number>()
      const doubts = new Lru<ClerkSessionId, number>()
      const refusals = new Lru<ClerkSessionId, number>()

      const leaveAlone = (id: ClerkSessionId, { reason }: ClerkError, insisted: boolean) =>
        Effect.map(Clock.currentTimeMillis, (now) => breaker.open(id, { reason, insisted }, now))

      const mint = Effect.fn("ClerkSessionTokens.mint")(
        function* (id: ClerkSessionId) {
          const token = yield* read(yield* clerk.sessionToken(id), yield* Clock.currentTimeMillis)
          tokens.set(id, token)
          breaker.close(id)
          doubts.delete(id)
          return token
        },
        (minted, id) => Effect.tapError(minted, (error) => leaveAlone(id, error, false))
      )

      const ask = (id: ClerkSessionId) => share(id, mint(id))

      /** Asks again where that may help soon. */
      const insist = (id: ClerkSessionId) =>
        ask(id).pipe(
          Effect.retry({ while: isPassing, times: retries, schedule: pauses }),
          Effect.tapError((error) => leaveAlone(id, error, true))
        )

      /** A new token; where there is none, the old one while it is good. */
      const replace = Effect.fnUntraced(function* (id: ClerkSessionId) {
        const now = yield* Clock.currentTimeMillis
        const failure = breaker.failure(id, now)
        const wait = failure === undefined ? 0 : delayAfter(failure, now)
        const old = tokens.get(id)
        return yield* Effect.catchTag(
          failure !== undefined && wait === undefined
            ? Effect.fail(new ClerkError({ reason: failure.reason }))
            : Effect.delay(insist(id), wait ?? 0),
          "ClerkError",
          (error) =>
            error.reason._tag !== "ClerkSessionEnded" && old !== undefined && now < old.expiresAt
              ? Effect.succeed(old)
              : Effect.fail(error)
        )
      })

      return ClerkSessionTokens.of({
        alive: Effect.fnUntraced(function* (id) {
          const now = yield* Clock.currentTimeMillis
          const token = tokens.get(id)
          if (token !== undefined && now < Math.min(token.goodUntil, token.mintedAt + aliveFor)) return
          if (now < (refusals.get(id) ?? -Infinity) + aliveFor) return
          const failure = breaker.failure(id, now)
          yield* (failure === undefined ? ask(id) : Effect.fail(new ClerkError({ reason: failure.reason }))).pipe(
            Effect.asVoid,
            Effect.catchTag(
              "ClerkError",
              ({ reason }): Effect.Effect<void, ClerkSessionEnded | ClerkSessionUnknown> => {
                if (reason._tag === "ClerkSessionEnded") return Effect.fail(reason)
                if (isAlive(reason)) {
                  doubts.delete(id)
                  refusals.set(id, now)
                  const log = Effect.logWarning("Clerk gives no session tokens: check CLERK_JWT_TEMPLATE")
                  return Log.once(operation, Effect.annotateLogs(log, { reason }))
                }
                const since = doubts.get(id) ?? now
                doubts.set(id, since)
                return now - since > doubtFor
                  ? Effect.fail(new ClerkSessionUnknown({ passes: reason._tag === "ClerkUnavailable" }))
                  : Effect.annotateLogs(Effect.logWarning("Clerk did not say whether a session is alive"), { reason })
              }
            )
          )
        }),

        current: Effect.fnUntraced(function* (id) {
          const token = tokens.get(id)
          if (token !== undefined && (yield* Clock.currentTimeMillis) < token.goodUntil) return token.value
          return (yield* replace(id)).value
        }),

        renewed: Effect.fnUntraced(function* (id, refused) {
          const now = yield* Clock.currentTimeMillis
          const token = tokens.get(id)
          // Somebody else may have come back with the same token before; and an app may refuse every one.
          const isNew = token !== undefined && token.value !== refused && now < token.goodUntil
          if (token !== undefined && (isNew || now < (renewals.get(id) ?? -Infinity) + renewedFor)) return token.value
          renewals.set(id, now)
          tokens.delete(id)
          return (yield* replace(id)).value
        })
      })
    })
  )
}

/** A token and its times, in milliseconds since 1970. */
interface Token {
  readonly value: Redacted.Redacted
  readonly mintedAt: number
  /** When it gets too old to set out with. */
  readonly goodUntil: number
  readonly expiresAt: number
}

const decodeTimes = Schema.decodeUnknownEffect(Schema.Struct({ exp: Schema.Finite, iat: Schema.Finite }))

const read = (value: Redacted.Redacted, mintedAt: number): Effect.Effect<Token, NoToken> =>
  Effect.try(() => decodeJwt(Redacted.value(value))).pipe(
    Effect.flatMap(decodeTimes),
    Effect.map(({ exp, iat }) => {
      const expiresAt = exp * 1_000
      return { value, mintedAt, expiresAt, goodUntil: expiresAt - Math.min(margin, (exp - iat) * 500) }
    }),
    Effect.mapError(() => {
      const detail = "not a JWT with times"
      return new ClerkError({ reason: new ClerkUnexpected({ operation, detail }) })
    })
  )

/** How long to wait until Clerk may be asked for a token that is needed, in milliseconds; none for as long as that takes. */
const delayAfter = ({ reason, until, insisted }: CircuitBreaker.Failure, now: number): number | undefined => {
  if (reason._tag !== "ClerkUnavailable") return undefined
  if (reason.retryAfter === undefined) return insisted ? undefined : 0
  return until - now > longestPause ? undefined : until - now
}
