import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { OrganizationId } from "../domain/Principal.ts"
import { AccessError, AccessUnknown, OrganizationLeft } from "./Access.ts"
import type { Membership, UserSnapshot } from "./UserSnapshot.ts"

/** When a list that Clerk refuses may be there, in seconds: as soon as facts are read anew. */
const retryAfterSeconds = 60

/**
 * The organization that the request's grant is for, with the user's role and permissions in it; none for a grant for a
 * personal account. Provided to tools, resources and prompts once their policy allows.
 *
 *     const organization = yield* CurrentOrganization.required
 *     const orders = yield* shop.ordersOf(organization.id)
 */
export class CurrentOrganization extends Context.Service<CurrentOrganization, Option.Option<Membership>>()(
  "access/CurrentOrganization"
) {
  /**
   * The organization where the policy demands one: `inOrganization`, `organizationRole` or `permission`. Under a policy
   * that admits personal accounts it is a defect for these: the client gets a reference, and the log the reason.
   */
  static readonly required: Effect.Effect<Membership, never, CurrentOrganization> = Effect.flatMap(
    CurrentOrganization,
    Option.match({
      onSome: Effect.succeed,
      onNone: () => Effect.die(new TypeError("no organization: add Policy.inOrganization to the policy"))
    })
  )
}

/**
 * The user's place in the organization that a grant is for, `undefined` for a personal account. Fails if the user has
 * left the organization, and for now where Clerk does not tell who belongs to it.
 */
export const organizationOf = (
  { memberships }: UserSnapshot,
  organizationId: OrganizationId | undefined
): Effect.Effect<Membership | undefined, AccessError> => {
  if (organizationId === undefined) return Effect.undefined
  if (memberships === null) {
    return Effect.fail(new AccessError({ reason: new AccessUnknown({ retryAfterSeconds, passes: false }) }))
  }
  const found = memberships.find(({ id }) => id === organizationId)
  return found === undefined ? Effect.fail(new AccessError({ reason: new OrganizationLeft() })) : Effect.succeed(found)
}
