import * as Layer from "effect/Layer"

import { CurrentUser } from "../../src/access/CurrentUser.ts"
import type { Snapshot } from "../../src/access/Snapshot.ts"
import { ClientId, CurrentIdentity, type Identity, UserId } from "../../src/domain/Identity.ts"
import { Role } from "../../src/domain/Role.ts"

/** Ada's facts, as a tool is told them. */
export const ada: Snapshot = {
  userId: UserId.make("user_ada"),
  email: "ada@example.com",
  firstName: "Ada",
  lastName: "Marlowe",
  imageUrl: "https://img.clerk.example/ada",
  role: Role.make("admin"),
  metadata: { role: "admin", team: "engines" },
  permissions: [],
  takenAt: 0
}

/** Who sent a request on Ada's behalf. */
export const identity = (...scopes: ReadonlyArray<string>): Identity => ({
  userId: ada.userId,
  clientId: ClientId.make("the-client"),
  scopes
})

/** A request of Ada's, past its admission. */
export const request = (user: Partial<Snapshot> = {}, by: Partial<Identity> = {}) =>
  Layer.merge(
    Layer.succeed(CurrentUser, { ...ada, ...user }),
    Layer.succeed(CurrentIdentity, { ...identity("mcp:tools"), ...by })
  )
