import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { ClerkApi } from "../clerk/ClerkApi.ts"
import { ClerkError, ClerkUnavailable, ClerkUnexpected } from "../clerk/ClerkError.ts"
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

/** The grant is for an organization that the user does not belong to any more. */
export class OrganizationLeft extends Schema.TaggedError<OrganizationLeft>()("OrganizationLeft", {}) {
  override readonly message =
    "You are no longer a member of the organization that this connection is for. Connect again to choose another one."
}

/** Why nobody can say that something is allowed: nothing is. */
export class AccessError extends Schema.TaggedError<AccessError>()("AccessError", {
  reason: Schema.Union([AccountClosed, AccessUnknown, OrganizationLeft])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** How old a snapshot may be before Clerk is asked again, in milliseconds. */
const freshFor = Duration.toMillis("60 seconds")
/** How much older it may grow while Clerk does not answer, in milliseconds. */
const staleFor = Duration.toMillis("5 minutes")
/** How long Clerk may take for all of its answers about a user, however many pages they have. */
const timeout = Duration.seconds(5)
const slow = new ClerkError({ reason: new ClerkUnavailable({ operation: "users" }) })

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
  static readonly layer = Layer.effect(
    Access,
    Effect.gen(function* () {
      const clerk = yield* ClerkApi
      const share = SingleFlight.make<void, never>(yield* KeepAlive)
      const answers = new Lru<UserId, Answer>()
      const breaker = CircuitBreaker.make<UserId>()

      const ask = Effect.fnUntraced(function* (userId: UserId) {
        const takenAt = yield* Clock.currentTimeMillis
        const [user, memberships] = yield* Effect.all([clerk.user(userId), clerk.memberships(userId)], {
          concurrency: 2
        }).pipe(Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(slow) }))
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

      return Access.of({
        current: Effect.fnUntraced(function* (userId) {
          const asked = yield* Clock.currentTimeMillis
          const due = asked - (answers.get(userId)?.takenAt ?? -Infinity) > freshFor
          if (due && breaker.failure(userId, asked) === undefined) yield* share(userId, refresh(userId))
          const answer = answers.get(userId)
          const now = yield* Clock.currentTimeMillis
          if (answer === undefined || now - answer.takenAt > freshFor + staleFor) {
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
      })
    })
  )
}

/** What Clerk last said about a user; no snapshot if the account is closed. */
interface Answer {
  readonly takenAt: number
  readonly snapshot: UserSnapshot.UserSnapshot | undefined
  readonly deleted?: boolean
}
