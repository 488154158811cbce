import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { CurrentUser } from "../../src/server/access/CurrentUser.ts"
import type { Snapshot } from "../../src/server/access/Snapshot.ts"
import { ClientId, CurrentIdentity, GrantId, type Identity, UserId } from "../../src/server/domain/Identity.ts"
import { Role } from "../../src/server/domain/Role.ts"
import { Ask } from "../../src/server/capability/Ask.ts"

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
  grantId: GrantId.make("grantOfAda"),
  clientId: ClientId.make("the-client"),
  scopes
})

/** A client that cannot be asked anything. */
const silent = Layer.succeed(
  Ask,
  Ask.of({ supports: () => false, reply: () => undefined, suspend: () => Effect.die("the client was asked") })
)

/** A request of Ada's, past its admission. */
export const request = (user: Partial<Snapshot> = {}, by: Partial<Identity> = {}) =>
  Layer.mergeAll(
    Layer.succeed(CurrentUser, { ...ada, ...user }),
    Layer.succeed(CurrentIdentity, { ...identity("mcp:tools"), ...by }),
    silent
  )
