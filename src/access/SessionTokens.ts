import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { decodeJwt } from "jose"

import { ClerkApi } from "../clerk/ClerkApi.ts"
import { ClerkError, ClerkUnexpected, type SessionEnded } from "../clerk/ClerkError.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import type { SessionId } from "../domain/Identity.ts"
import { remember } from "./Recent.ts"
import * as SingleFlight from "./SingleFlight.ts"

/** Why there is no token. */
export type NoToken = ClerkError

/** How much of its life a token has to have left, in milliseconds; half of it where that is less. */
const margin = Duration.toMillis("10 seconds")
/** How long an answer about a session holds, in milliseconds. */
const aliveFor = Duration.toMillis("60 seconds")
/** How long Clerk is left alone after a failure, and an app with its second refusal, in milliseconds. */
const quietFor = Duration.toMillis("5 seconds")
/** How long a session counts as alive that Clerk does not speak about, in milliseconds. */
const doubtFor = Duration.toMillis("5 minutes")
/** The longest that a time which Clerk names is believed, in seconds. */
const longestRetryAfter = 60

/** How often Clerk is asked once more for a token that is needed, and the pauses between, in milliseconds. */
const retries = 2
const firstPause = 200
const longestPause = 2_000

/** Clerk has not said for too long whether the session is alive. */
export class SessionUnknown extends Schema.TaggedError<SessionUnknown>()("SessionUnknown", {}) {
  override readonly message = "Your session cannot be checked right now. Please try again in a moment."
}

/** Clerk's short-lived tokens of sessions. Who gets one learns that the session is alive. */
export class SessionTokens extends Context.Service<
  SessionTokens,
  {
    /**
     * Fails once Clerk says that the session has ended, which it is asked again after a minute. Asks once: a session
     * that Clerk does not speak about counts as alive for 5 minutes more.
     */
    readonly alive: (id: SessionId) => Effect.Effect<void, SessionEnded | SessionUnknown>
    /** A token that is good for some seconds yet. Asks up to three times. */
    readonly current: (id: SessionId) => Effect.Effect<Redacted.Redacted, NoToken>
    /** Another token in place of one that somebody refused; the same one, where it has just been replaced. */
    readonly renewed: (id: SessionId, refused: Redacted.Redacted) => Effect.Effect<Redacted.Redacted, NoToken>
  }
>()("access/SessionTokens") {
  static readonly layer = Layer.effect(
    SessionTokens,
    Effect.gen(function* () {
      const clerk = yield* ClerkApi
      const share = SingleFlight.make<Token, NoToken>(yield* KeepAlive)
      const tokens = new Map<SessionId, Token>()
      const failures = new Map<SessionId, Failure>()
      const renewals = new Map<SessionId, number>()
      const doubts = new Map<SessionId, number>()
      /** A rate limit is one of the Clerk instance, whichever session was asked about. */
      let limited: Failure | undefined

      const mint = Effect.fn("SessionTokens.mint")(
        function* (id: SessionId) {
          const token = yield* read(yield* clerk.sessionToken(id), yield* Clock.currentTimeMillis)
          remember(tokens, id, token)
          failures.delete(id)
          doubts.delete(id)
          return token
        },
        (minted, id) =>
          Effect.tapError(minted, (error) =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              const failure = { error, until: now + quietTime(error), isFinal: false }
              remember(failures, id, failure)
              if (error.reason._tag === "ClerkUnavailable" && error.reason.status === 429) limited = failure
            })
          )
      )

      const ask = (id: SessionId) => share(id, mint(id))

      /** Asks again where that may help soon. */
      const insist = (id: SessionId, attempt = 1): Effect.Effect<Token, NoToken> =>
        Effect.catchTag(ask(id), "ClerkError", (error) => {
          const wait = pause(error, attempt)
          if (wait !== undefined) return Effect.delay(insist(id, attempt + 1), wait)
          const failure = failures.get(id)
          if (failure !== undefined) failures.set(id, { ...failure, isFinal: true })
          return Effect.fail(error)
        })

      /** The failure for which Clerk shall be left alone now. */
      const quiet = (id: SessionId, now: number) =>
        [failures.get(id), limited].find((failure) => failure !== undefined && now < failure.until)

      /** A new token; where there is none, the old one while it is good. */
      const replace = Effect.fnUntraced(function* (id: SessionId) {
        const now = yield* Clock.currentTimeMillis
        const failure = quiet(id, now)
        const wait = failure === undefined ? 0 : delayAfter(failure, now)
        const old = tokens.get(id)
        return yield* Effect.catchTag(
          failure !== undefined && wait === undefined
            ? Effect.fail(failure.error)
            : Effect.delay(insist(id), wait ?? 0),
          "ClerkError",
          (error) =>
            error.reason._tag !== "SessionEnded" && old !== undefined && now < old.expiresAt
              ? Effect.succeed(old)
              : Effect.fail(error)
        )
      })

      return SessionTokens.of({
        alive: Effect.fnUntraced(function* (id) {
          const now = yield* Clock.currentTimeMillis
          const token = tokens.get(id)
          if (token !== undefined && now < Math.min(token.goodUntil, token.mintedAt + aliveFor)) return
          const failure = quiet(id, now)
          yield* (failure === undefined ? ask(id) : Effect.fail(failure.error)).pipe(
            Effect.asVoid,
            Effect.catchTag("ClerkError", ({ reason }): Effect.Effect<void, SessionEnded | SessionUnknown> => {
              if (reason._tag === "SessionEnded") return Effect.fail(reason)
              const since = doubts.get(id) ?? now
              remember(doubts, id, since)
              return now - since > doubtFor
                ? Effect.fail(new SessionUnknown())
                : Effect.annotateLogs(Effect.logWarning("Clerk did not say whether a session is alive"), { reason })
            })
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
          if (token !== undefined && (isNew || now < (renewals.get(id) ?? -Infinity) + quietFor)) return token.value
          remember(renewals, id, now)
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

/** What Clerk said instead of a token, and until when it is left alone, in milliseconds since 1970. */
interface Failure {
  readonly error: NoToken
  readonly until: number
  /** Clerk was asked several times. */
  readonly isFinal: boolean
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
      return new ClerkError({ reason: new ClerkUnexpected({ operation: "sessions.getToken", detail }) })
    })
  )

/** How long to wait until Clerk may be asked for a token that is needed, in milliseconds; none for as long as that takes. */
const delayAfter = ({ error: { reason }, until, isFinal }: Failure, now: number): number | undefined => {
  if (reason._tag !== "ClerkUnavailable") return undefined
  if (reason.retryAfter === undefined) return isFinal ? undefined : 0
  return until - now > longestPause ? undefined : until - now
}

/** How long to wait before the next attempt, in milliseconds; none where waiting does not help or takes too long. */
const pause = ({ reason }: NoToken, attempt: number): number | undefined => {
  if (reason._tag !== "ClerkUnavailable" || attempt > retries) return undefined
  const wait = reason.retryAfter === undefined ? firstPause * 2 ** (attempt - 1) : reason.retryAfter * 1_000
  return wait > longestPause ? undefined : wait
}

const quietTime = ({ reason }: NoToken): number =>
  reason._tag === "ClerkUnavailable" && reason.retryAfter !== undefined
    ? Math.min(reason.retryAfter, longestRetryAfter) * 1_000
    : quietFor
