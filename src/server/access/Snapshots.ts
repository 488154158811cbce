import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import type { UserId } from "../domain/Principal.ts"
import { Lru } from "./Lru.ts"
import { UserSnapshot } from "./UserSnapshot.ts"

/** What Clerk last said about a user: no snapshot if the account is closed. `takenAt` is in milliseconds since 1970. */
export const ClerkSaid = Schema.Struct({
  takenAt: Schema.Finite,
  snapshot: Schema.NullOr(UserSnapshot),
  deleted: Schema.Boolean
})
export type ClerkSaid = typeof ClerkSaid.Type

/** Where what Clerk last said about users is kept. */
export class Snapshots extends Context.Service<
  Snapshots,
  {
    readonly get: (userId: UserId) => Effect.Effect<ClerkSaid | undefined>
    readonly set: (userId: UserId, said: ClerkSaid) => Effect.Effect<void>
  }
>()("access/Snapshots") {
  /** In memory, for the users that were asked about last. */
  static readonly layerMemory = Layer.sync(Snapshots, () => {
    const said = new Lru<UserId, ClerkSaid>()
    return Snapshots.of({
      get: (userId) => Effect.sync(() => said.get(userId)),
      set: (userId, one) => Effect.sync(() => said.set(userId, one))
    })
  })
}
