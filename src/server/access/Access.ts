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
import { AccessEvent, AccessEvents } from "./AccessEvents.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import * as SingleFlight from "./SingleFlight.ts"
import { type ClerkSaid, Snapshots } from "./Snapshots.ts"
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
/** How long Clerk may take to say all of it, however many questions that takes. */
const timeout = Duration.seconds(5)

const { AccessChanged, AccountClosed: Closed } = AccessEvent.cases

/** What a user may do now. */
export class Access extends Context.Service<
  Access,
  {
    /**
     * The user's snapshot, at most 60 s old; while Clerk does not answer, at most 5 minutes older. Concurrent
     * questions about one user are one question to Clerk, and take 5 s at most.
     */
    readonly current: (userId: UserId) => Effect.Effect<UserSnapshot.UserSnapshot, AccessError>
  }
>()("access/Access") {
  /**
   * Asks Clerk, and publishes what is new: that the user may do something else than Clerk said before, or that the
   * account was closed.
   */
  static readonly layer = Layer.effectContext(
    Effect.gen(function* () {
      const clerk = yield* ClerkApi
      const snapshots = yield* Snapshots
      const events = yield* AccessEvents
      const share = SingleFlight.make<void, never>(yield* KeepAlive)
      const breaker = CircuitBreaker.make<UserId>(yield* CircuitBreaker.SharedRateLimit)

      const ask = Effect.fnUntraced(
        function* (userId: UserId) {
          const takenAt = yield* Clock.currentTimeMillis
          const [user, memberships] = yield* Effect.all([clerk.user(userId), clerk.memberships(userId)], {
            concurrency: 2
          })
          // Facts about somebody else are worse than none.
          if (user.id !== userId) {
            const detail = "another user than was asked for"
            return yield* new ClerkError({ reason: new ClerkUnexpected({ operation: "users.getUser", detail }) })
          }
          const snapshot = user.banned ? null : UserSnapshot.fromClerk(user, memberships, takenAt)
          return { takenAt, snapshot, deleted: false }
        },
        Effect.catchReason("ClerkError", "UserNotFound", () =>
          Effect.map(Clock.currentTimeMillis, (takenAt) => ({ takenAt, snapshot: null, deleted: true }))
        ),
        Effect.timeoutOrElse({
          duration: timeout,
          orElse: () => Effect.fail(new ClerkError({ reason: new ClerkUnavailable({ operation: "users.getUser" }) }))
        })
      )

      const tell = (userId: UserId, before: ClerkSaid | undefined, { snapshot, deleted }: ClerkSaid) => {
        if (snapshot === null) {
          const known = before?.snapshot === null && before.deleted === deleted
          return known ? Effect.void : events.publish(Closed.make({ userId, deleted }))
        }
        const allowed = before?.snapshot
        if (!allowed || UserSnapshot.allowing(allowed) === UserSnapshot.allowing(snapshot)) return Effect.void
        return events.publish(AccessChanged.make({ userId }))
      }

      const refresh = Effect.fn("Access.refresh")(
        function* (userId: UserId) {
          const said: ClerkSaid = yield* ask(userId)
          const before = yield* snapshots.get(userId)
          yield* snapshots.set(userId, said)
          yield* tell(userId, before, said)
        },
        (refreshed, userId) =>
          Effect.catchTag(refreshed, "ClerkError", ({ reason }) =>
            Effect.gen(function* () {
              breaker.open(userId, { reason }, yield* Clock.currentTimeMillis)
              yield* Effect.logWarning("Clerk did not say what a user may do").pipe(Effect.annotateLogs({ reason }))
            })
          )
      )

      const answered = ({ snapshot, deleted }: ClerkSaid) =>
        snapshot === null
          ? Effect.fail(new AccessError({ reason: new AccountClosed({ deleted }) }))
          : Effect.succeed(snapshot)

      /** Clerk has not said what the user may do since a moment ago. */
      const unknown = Effect.fnUntraced(function* (userId: UserId) {
        const now = yield* Clock.currentTimeMillis
        const failure = breaker.failure(userId, now)
        const wait = Math.max((failure?.until ?? 0) - now, 1_000)
        const passes = failure === undefined || failure.reason._tag === "ClerkUnavailable"
        const reason = new AccessUnknown({ retryAfterSeconds: Math.ceil(wait / 1_000), passes })
        return yield* new AccessError({ reason })
      })

      /** A look that begins now, or that began a moment ago and is still under way. */
      const look = Effect.fnUntraced(function* (userId: UserId) {
        if (breaker.failure(userId, yield* Clock.currentTimeMillis) !== undefined) return
        yield* share(userId, refresh(userId))
      })

      const access = Access.of({
        current: Effect.fnUntraced(function* (userId) {
          const asked = yield* Clock.currentTimeMillis
          const known = yield* snapshots.get(userId)
          if (asked - (known?.takenAt ?? -Infinity) > freshFor) yield* look(userId)
          const said = yield* snapshots.get(userId)
          const oldest = (yield* Clock.currentTimeMillis) - freshFor - staleFor
          return yield* said === undefined || said.takenAt < oldest ? unknown(userId) : answered(said)
        })
      })

      const accessRefresh = AccessRefresh.of({
        refresh: Effect.fn("AccessRefresh.refresh")(function* (userId) {
          const asked = yield* Clock.currentTimeMillis
          yield* look(userId)
          // It may have joined a look that had begun before.
          if (((yield* snapshots.get(userId))?.takenAt ?? -Infinity) < asked) yield* look(userId)
          const said = yield* snapshots.get(userId)
          return yield* said === undefined || said.takenAt < asked ? unknown(userId) : answered(said)
        })
      })

      return Context.make(Access, access).pipe(Context.add(AccessRefresh, accessRefresh))
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
  }
>()("access/AccessRefresh") {}
