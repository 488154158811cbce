import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

import { CurrentOrganization } from "../../src/server/access/CurrentOrganization.ts"
import { CurrentUser } from "../../src/server/access/CurrentUser.ts"
import type { Membership, UserSnapshot } from "../../src/server/access/UserSnapshot.ts"
import { ClientId, CurrentPrincipal, GrantId, type Principal, UserId } from "../../src/server/domain/Principal.ts"
import { Role } from "../../src/server/domain/Role.ts"
import { Elicitation } from "../../src/server/capability/Elicitation.ts"

/** Ada's facts, as a tool is told them. */
export const ada: UserSnapshot = {
  userId: UserId.make("user_ada"),
  email: "ada@example.com",
  firstName: "Ada",
  lastName: "Marlowe",
  imageUrl: "https://img.clerk.example/ada",
  role: Role.make("admin"),
  metadata: { role: "admin", team: "engines" },
  memberships: [],
  locked: false,
  takenAt: 0
}

/** Who sent a request on Ada's behalf. */
export const principal = (...scopes: ReadonlyArray<string>): Principal => ({
  userId: ada.userId,
  grantId: GrantId.make("grantOfAda"),
  clientId: ClientId.make("the-client"),
  scopes
})

/** A client that cannot be asked anything. */
const silent = Layer.succeed(
  Elicitation,
  Elicitation.of({ supports: () => false, reply: () => undefined, suspend: () => Effect.die("the client was asked") })
)

/** A request of Ada's, past its admission. */
export const request = (user: Partial<UserSnapshot> = {}, by: Partial<Principal> = {}, organization?: Membership) =>
  Layer.mergeAll(
    Layer.succeed(CurrentOrganization, Option.fromUndefinedOr(organization)),
    Layer.succeed(CurrentUser, { ...ada, ...user }),
    Layer.succeed(CurrentPrincipal, { ...principal("mcp:tools"), ...by }),
    silent
  )
