import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { ClerkApi } from "../clerk/ClerkApi.ts"
import { ClerkError, ClerkUnexpected } from "../clerk/ClerkError.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import type { UserId } from "../domain/Principal.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import { Lru } from "./Lru.ts"
import * as SingleFlight from "./SingleFlight.ts"
import * as UserSnapshot from "./UserSnapshot.ts"

/** The account may not use the server any more: it was banned in Clerk, which can be undone, or deleted. */
export class AccountClosed extends Schema.TaggedError<AccountClosed>()("AccountClosed", {
  deleted: Schema.Boolean
}) {
  override readonly message = "This account can no longer use this server."
}

/**
 * Nobody can tell at present what the user may do: Clerk does not say, and the last answer is too old. It is asked
 * again after `retryAfterSeconds`; where the trouble does not pass by itself, an operator has to end it first.
 */
export class AccessUnknown extends Schema.TaggedError<AccessUnknown>()("AccessUnknown", {
  retryAfterSeconds: Schema.Int,
  passes: Schema.Boolean
}) {
  override get message(): string {
    return this.passes
      ? "Your permissions cannot be checked right now. Please try again in a moment."
      : "Your permissions cannot be checked. The operator of this server has to correct its Clerk settings."
  }
}

/** Why there is no snapshot. Either way nothing is allowed. */
export class AccessError extends Schema.TaggedError<AccessError>()("AccessError", {
  reason: Schema.Union([AccountClosed, AccessUnknown])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** How old a snapshot may be before Clerk is asked again, in milliseconds. */
const freshFor = Duration.toMillis("60 seconds")
/** How much older it may grow while Clerk does not answer, in milliseconds. */
const staleFor = Duration.toMillis("5 minutes")

/** What a user may do now. */
export class Access extends Context.Service<
  Access,
  {
    /**
     * The user's snapshot, at most 60 s old; while Clerk does not answer, at most 5 minutes older. Concurrent
     * questions about one user are one question to Clerk.
     */
    readonly current: (userId: UserId) => Effect.Effect<UserSnapshot.UserSnapshot, AccessError>
  }
>()("access/Access") {
  static readonly layer: Layer.Layer<Access | AccessRefresh, never, ClerkApi> = Layer.effectContext(
    Effect.gen(function* () {
      const clerk = yield* ClerkApi
      const share = SingleFlight.make<void, never>(yield* KeepAlive)
      const answers = new Lru<UserId, Answer>()
      const breaker = CircuitBreaker.make<UserId>()

      const ask = Effect.fnUntraced(function* (userId: UserId) {
        const takenAt = yield* Clock.currentTimeMillis
        const [user, memberships] = yield* Effect.all([clerk.user(userId), clerk.memberships(userId)], {
          concurrency: 2
        })
        // Facts about somebody else are worse than none.
        if (user.id !== userId) {
          const detail = "another user than was asked for"
          return yield* new ClerkError({ reason: new ClerkUnexpected({ operation: "users.getUser", detail }) })
        }
        return { takenAt, snapshot: user.banned ? undefined : UserSnapshot.fromClerk(user, memberships, takenAt) }
      })

      const refresh = Effect.fn("Access.refresh")(
        function* (userId: UserId) {
          answers.set(userId, yield* ask(userId))
        },
        (refreshed, userId) =>
          Effect.catchReason(
            refreshed,
            "ClerkError",
            "UserNotFound",
            () =>
              Effect.map(Clock.currentTimeMillis, (takenAt) =>
                answers.set(userId, { takenAt, snapshot: undefined, deleted: true })
              ),
            (reason) =>
              Effect.gen(function* () {
                breaker.open(userId, { reason }, yield* Clock.currentTimeMillis)
                yield* Effect.logWarning("Clerk did not say what a user may do").pipe(Effect.annotateLogs({ reason }))
              })
          )
      )

      /** Asks Clerk, unless it is to be left alone. */
      const askClerk = Effect.fnUntraced(function* (userId: UserId) {
        const now = yield* Clock.currentTimeMillis
        if (breaker.failure(userId, now) === undefined) yield* share(userId, refresh(userId))
      })

      /** The last answer, if Clerk was asked at this time or later. */
      const answerSince = Effect.fnUntraced(function* (userId: UserId, since: number) {
        const answer = answers.get(userId)
        if (answer === undefined || answer.takenAt < since) {
          const now = yield* Clock.currentTimeMillis
          const failure = breaker.failure(userId, now)
          const wait = Math.max((failure?.until ?? 0) - now, 1_000)
          const passes = failure === undefined || failure.reason._tag === "ClerkUnavailable"
          const reason = new AccessUnknown({ retryAfterSeconds: Math.ceil(wait / 1_000), passes })
          return yield* new AccessError({ reason })
        }
        if (answer.snapshot === undefined)
          return yield* new AccessError({ reason: new AccountClosed({ deleted: answer.deleted ?? false }) })
        return answer.snapshot
      })

      const access = Access.of({
        current: Effect.fnUntraced(function* (userId) {
          const asked = yield* Clock.currentTimeMillis
          if (asked - (answers.get(userId)?.takenAt ?? -Infinity) > freshFor) yield* askClerk(userId)
          return yield* answerSince(userId, (yield* Clock.currentTimeMillis) - freshFor - staleFor)
        })
      })

      return Context.make(Access, access).pipe(
        Context.add(AccessRefresh, {
          refresh: Effect.fnUntraced(function* (userId: UserId) {
            const asked = yield* Clock.currentTimeMillis
            yield* askClerk(userId)
            // The look that was shared may have begun before.
            if ((answers.get(userId)?.takenAt ?? -Infinity) < asked) yield* askClerk(userId)
            return yield* answerSince(userId, asked)
          }),
          expire: Effect.fnUntraced(function* (userId: UserId) {
            const answer = answers.get(userId)
            if (answer === undefined) return
            const takenAt = Math.min(answer.takenAt, (yield* Clock.currentTimeMillis) - freshFor - 1)
            answers.set(userId, { ...answer, takenAt })
          })
        })
      )
    })
  )
}

/** The same knowledge, for who was told that it is out of date. */
export class AccessRefresh extends Context.Service<
  AccessRefresh,
  {
    /**
     * The user's snapshot by a look at Clerk that begins now or later. Fails with `AccessUnknown` where Clerk does not
     * answer, or has asked to be left alone.
     */
    readonly refresh: (userId: UserId) => Effect.Effect<UserSnapshot.UserSnapshot, AccessError>
    /** Has the next question about the user go to Clerk. Asks nothing of a user who was not asked about before. */
    readonly expire: (userId: UserId) => Effect.Effect<void>
  }
>()("access/AccessRefresh") {}

/** What Clerk last said about a user; no snapshot if the account is closed. */
interface Answer {
  readonly takenAt: number
  readonly snapshot: UserSnapshot.UserSnapshot | undefined
  readonly deleted?: boolean
}
