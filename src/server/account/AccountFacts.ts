import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { Access } from "../access/Access.ts"
import { Lru } from "../access/Lru.ts"
import { allowing, type UserSnapshot } from "../access/UserSnapshot.ts"
import type { UserId } from "../domain/Principal.ts"
import { Announcements } from "./Announcements.ts"

/**
 * The facts as requests without a session are judged on. Where they allow something else than the last ones did that
 * this isolate knew of a user, those who follow the user's changes are told, once for each change. Clerk is asked for
 * nothing that a request does not need, and an object only wakes for a change.
 */
export const layer = Layer.effect(
  Access,
  Effect.gen(function* () {
    const { current } = yield* Access
    const { tell } = yield* Announcements
    const seen = new Lru<UserId, UserSnapshot>()
    const notice = Effect.fnUntraced(function* (snapshot: UserSnapshot) {
      const { userId } = snapshot
      const before = seen.get(userId)
      if (before === snapshot) return
      seen.set(userId, snapshot)
      if (before === undefined || allowing(before) === allowing(snapshot)) return
      yield* tell(userId, "A change of what a user may use was not told", ({ tellFollowers }) => tellFollowers)
    })
    return Access.of({ current: (userId) => Effect.tap(current(userId), notice) })
  })
).pipe(Layer.provide(Announcements.layer))
