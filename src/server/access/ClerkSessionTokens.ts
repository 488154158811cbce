import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { decodeJwt } from "jose"

import { ClerkApi } from "../clerk/ClerkApi.ts"
import { ClerkError, ClerkUnexpected, type ClerkSessionEnded } from "../clerk/ClerkError.ts"
import { organizationClaim } from "../clerk/ClerkSessionToken.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import type { ClerkSessionId, OrganizationId } from "../domain/Principal.ts"
import * as Log from "../observability/Log.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import { Lru } from "./Lru.ts"
import * as SingleFlight from "./SingleFlight.ts"

/** Why there is no token. */
export type NoToken = ClerkError

/** How long a token has to be valid still, in milliseconds; half of its lifetime if that is less. */
const margin = Duration.toMillis("10 seconds")
/** How long an answer about a session is cached, in milliseconds. */
const aliveFor = Duration.toMillis("60 seconds")
/** How long the last token is kept for an app that refuses one token after the other, in milliseconds. */
const renewedFor = Duration.toMillis("5 seconds")
/** How long a session counts as active while Clerk does not answer, in milliseconds. */
const doubtFor = Duration.toMillis("5 minutes")
/** How many times a token request to Clerk is retried. */
const retries = 2
/** The longest pause before a retry, in milliseconds. */
const longestPause = 2_000

/** The pauses between retries, unless Clerk sends `Retry-After`. */
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

/** Whether a retry may help. */
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

/** Clerk's short-lived session tokens. Clerk issues them for active sessions only. */
export class ClerkSessionTokens extends Context.Service<
  ClerkSessionTokens,
  {
    /**
     * Fails once Clerk says that the session has ended, which it is asked again after a minute. Asks once: a session
     * that Clerk does not speak about counts as alive for 5 minutes more. One that is alive without a token, for which
     * there is no template, say, is alive all the same; the log says so, once.
     */
    readonly alive: (id: ClerkSessionId) => Effect.Effect<void, ClerkSessionEnded | ClerkSessionUnknown>
    /** A token that is valid for some seconds more. Asks Clerk up to three times. */
    readonly current: (id: ClerkSessionId) => Effect.Effect<Redacted.Redacted, NoToken>
    /** Another token in place of one that the app refused; if it was replaced a moment ago, that newer one. */
    readonly renewed: (id: ClerkSessionId, refused: Redacted.Redacted) => Effect.Effect<Redacted.Redacted, NoToken>
  }
>()("access/ClerkSessionTokens") {
  static readonly layer = Layer.effect(
    ClerkSessionTokens,
    Effect.gen(function* () {
      const clerk = yield* ClerkApi
      const share = SingleFlight.make<Token, NoToken>(yield* KeepAlive)
      const tokens = new Lru<ClerkSessionId, Token>()
      const breaker = CircuitBreaker.make<ClerkSessionId>(yield* CircuitBreaker.SharedRateLimit)
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

      /** Retries where that may help. */
      const insist = (id: ClerkSessionId) =>
        ask(id).pipe(
          Effect.retry({ while: isPassing, times: retries, schedule: pauses }),
          Effect.tapError((error) => leaveAlone(id, error, true))
        )

      /** A new token; if there is none, the old one while it is valid. */
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
          // Another request may have replaced the same token already; and an app may refuse every token.
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
  /** When it is too old to be sent. */
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

/**
 * Whether a token may be used for what a grant is for. Clerk mints it for the organization that is active in the session,
 * and for no other (Backend API, `POST /sessions/{session_id}/tokens`). A token that names no organization says nothing
 * of it: the template leaves it out, or the app has no organizations.
 */
export const isFor = (token: Redacted.Redacted, organizationId: OrganizationId | undefined): boolean => {
  const claims = Result.try(() => decodeJwt(Redacted.value(token)))
  const claimed = organizationClaim(Result.getOrUndefined(claims))
  return claimed === undefined || claimed === (organizationId ?? null)
}

/** How long to wait before Clerk is asked again, in milliseconds; undefined if that is too long. */
const delayAfter = ({ reason, until, insisted }: CircuitBreaker.Failure, now: number): number | undefined => {
  if (reason._tag !== "ClerkUnavailable") return undefined
  if (reason.retryAfter === undefined) return insisted ? undefined : 0
  return until - now > longestPause ? undefined : until - now
}
