import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { UserId } from "../domain/Principal.ts"
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
>()("access/Snapshots") {}
