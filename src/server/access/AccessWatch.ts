import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import type { UserId } from "../domain/Principal.ts"
import { Access } from "./Access.ts"
import { AccessEvent, AccessEvents } from "./AccessEvents.ts"
import { Lru } from "./Lru.ts"
import { allowing, type UserSnapshot } from "./UserSnapshot.ts"

const { AccessChanged, AccountClosed } = AccessEvent.cases

/**
 * Access that publishes what it finds: a change once, when a snapshot allows something else than the last one that this
 * process had of the user; a closed account once, until it is open again or
 * was deleted as well. Asks Clerk for nothing that a request does
 * not need. Past its `Lru` a user is forgotten, and may be told of anew.
 */
export const layer = Layer.effect(
  Access,
  Effect.gen(function* () {
    const { current } = yield* Access
    const events = yield* AccessEvents
    const snapshots = new Lru<UserId, UserSnapshot>()
    /** Closed accounts, and whether they were deleted. */
    const closed = new Lru<UserId, boolean>()

    const open = Effect.fnUntraced(function* (snapshot: UserSnapshot) {
      const { userId } = snapshot
      closed.delete(userId)
      const before = snapshots.get(userId)
      if (before === snapshot) return
      snapshots.set(userId, snapshot)
      if (before === undefined || allowing(before) === allowing(snapshot)) return
      yield* events.publish(AccessChanged.make({ userId }))
    })

    const close = Effect.fnUntraced(function* (userId: UserId, deleted: boolean) {
      if (closed.get(userId) === deleted) return
      closed.set(userId, deleted)
      yield* events.publish(AccountClosed.make({ userId, deleted }))
    })

    return Access.of({
      current: (userId) =>
        current(userId).pipe(
          Effect.tap(open),
          Effect.tapError(({ reason }) =>
            reason._tag === "AccountClosed" ? close(userId, reason.deleted) : Effect.void
          )
        )
    })
  })
).pipe(Layer.provideMerge(Access.layer))
