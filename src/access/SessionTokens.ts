import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { decodeJwt } from "jose"

import { ClerkApi } from "../clerk/ClerkApi.ts"
import { ClerkError, ClerkUnexpected } from "../clerk/ClerkError.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import type { SessionId } from "../domain/Identity.ts"
import * as SingleFlight from "./SingleFlight.ts"

/** Why there is no token. */
export type NoToken = ClerkError

/** How much of its life a token has to have left, in milliseconds; half of it where that is less. */
const margin = Duration.toMillis("10 seconds")
/** How long a failure stands before Clerk is asked again, in milliseconds, where Clerk named no time. */
const quietFor = Duration.toMillis("5 seconds")
/** The longest that a named time is believed, in seconds. */
const longestRetryAfter = 60
/** How many sessions an isolate remembers. */
const capacity = 2_000

/** How often Clerk is asked once more at once, and how long it is left alone before, in milliseconds. */
const retries = 2
const firstPause = 200
const longestPause = 2_000

/**
 * Clerk's short-lived tokens of sessions. To get one is also to learn that the session is alive: it is asked again
 * about once in the life of a token.
 */
export class SessionTokens extends Context.Service<
  SessionTokens,
  {
    /**
     * A token that is good for some seconds yet. Fails with `SessionEnded` once Clerk says so; with any other reason it
     * is not known whether the session is alive.
     */
    readonly current: (id: SessionId) => Effect.Effect<Redacted.Redacted, NoToken>
    /** Another token in place of one that somebody refused. */
    readonly renewed: (id: SessionId, refused: Redacted.Redacted) => Effect.Effect<Redacted.Redacted, NoToken>
  }
>()("access/SessionTokens") {
  static readonly layer = Layer.effect(
    SessionTokens,
    Effect.gen(function* () {
      const clerk = yield* ClerkApi
      const share = SingleFlight.make<Redacted.Redacted, NoToken>(yield* KeepAlive)
      const known = new Map<SessionId, Known>()

      const remember = (id: SessionId, answer: Known) => {
        known.delete(id)
        known.set(id, answer)
        const oldest = known.size > capacity ? known.keys().next().value : undefined
        if (oldest !== undefined) known.delete(oldest)
      }

      const ask = (id: SessionId, attempt = 1): Effect.Effect<Redacted.Redacted, NoToken> =>
        Effect.catchTag(clerk.sessionToken(id), "ClerkError", (error) => {
          const wait = pause(error, attempt)
          return wait === undefined ? Effect.fail(error) : Effect.delay(ask(id, attempt + 1), wait)
        })

      const mint = Effect.fn("SessionTokens.mint")(
        function* (id: SessionId) {
          const token = yield* ask(id)
          remember(id, { answer: Effect.succeed(token), until: yield* goodUntil(token) })
          return token
        },
        (minted, id) =>
          Effect.tapError(minted, (error) =>
            Effect.map(Clock.currentTimeMillis, (now) =>
              remember(id, { answer: Effect.fail(error), until: now + quietTime(error.reason) })
            )
          )
      )

      /** What Clerk said last, if it still holds. */
      const standing = Effect.fnUntraced(function* (id: SessionId) {
        const last = known.get(id)
        return last !== undefined && (yield* Clock.currentTimeMillis) < last.until ? yield* last.answer : undefined
      })

      return SessionTokens.of({
        current: Effect.fnUntraced(function* (id) {
          return (yield* standing(id)) ?? (yield* share(id, mint(id)))
        }),
        renewed: Effect.fnUntraced(function* (id, refused) {
          const token = yield* standing(id)
          // Somebody else may have come back with the same token before.
          return token === undefined || token === refused ? yield* share(id, mint(id)) : token
        })
      })
    })
  )
}

/** What Clerk said last, and until when it holds, in milliseconds since 1970. */
interface Known {
  readonly answer: Effect.Effect<Redacted.Redacted, NoToken>
  readonly until: number
}

const decodeTimes = Schema.decodeUnknownEffect(Schema.Struct({ exp: Schema.Finite, iat: Schema.Finite }))

/** When a token gets too old to set out with, in milliseconds since 1970. */
const goodUntil = (token: Redacted.Redacted): Effect.Effect<number, NoToken> =>
  Effect.try(() => decodeJwt(Redacted.value(token))).pipe(
    Effect.flatMap(decodeTimes),
    Effect.map(({ exp, iat }) => exp * 1_000 - Math.min(margin, (exp - iat) * 500)),
    Effect.mapError(() => {
      const detail = "not a JWT with times"
      return new ClerkError({ reason: new ClerkUnexpected({ operation: "sessions.getToken", detail }) })
    })
  )

/** How long to wait before the next attempt, in milliseconds; none where waiting does not help or takes too long. */
const pause = ({ reason }: NoToken, attempt: number): number | undefined => {
  if (reason._tag !== "ClerkUnavailable" || attempt > retries) return undefined
  const wait = reason.retryAfter === undefined ? firstPause * 2 ** (attempt - 1) : reason.retryAfter * 1_000
  return wait > longestPause ? undefined : wait
}

const quietTime = (reason: NoToken["reason"]): number =>
  reason._tag === "ClerkUnavailable" && reason.retryAfter !== undefined
    ? Math.min(reason.retryAfter, longestRetryAfter) * 1_000
    : quietFor
