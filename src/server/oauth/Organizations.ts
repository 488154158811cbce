import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { AccessUnknown } from "../access/Access.ts"
import type { Membership, UserSnapshot } from "../access/UserSnapshot.ts"
import type { AppConfig } from "../config/AppConfig.ts"
import type { OrganizationId } from "../domain/Principal.ts"
import type { Grant } from "./UserAuthorities.ts"

/** This server serves members of organizations only (`ORGANIZATIONS=required`), and the account is in none. */
export class OrganizationRequired extends Schema.TaggedError<OrganizationRequired>()("OrganizationRequired", {}) {
  override readonly message =
    "This server is for members of an organization. Connect again with an account that belongs to one."
}

/** This server serves personal accounts only (`ORGANIZATIONS=off`), and the grant is for an organization. */
export class OrganizationsOff extends Schema.TaggedError<OrganizationsOff>()("OrganizationsOff", {}) {
  override readonly message = "This server does not serve organizations any more. Connect again for your account."
}

type Setting = AppConfig["Service"]["ORGANIZATIONS"]

/** Whether the setting allows a grant for this organization, or for a personal account. */
export const allows = (
  setting: Setting,
  organizationId: OrganizationId | undefined
): Effect.Effect<void, OrganizationRequired | OrganizationsOff> => {
  if (setting === "required" && organizationId === undefined) return Effect.fail(new OrganizationRequired())
  if (setting === "off" && organizationId !== undefined) return Effect.fail(new OrganizationsOff())
  return Effect.void
}

/** What a grant can be for: an organization, or, where it is `undefined`, the personal account. */
export type Place = Membership | undefined

/**
 * What somebody can connect an app for, one place at least. Whoever belongs to one organization connects for that one.
 * Fails for whoever has to belong to one and does not, or where Clerk does not tell.
 */
export const placesOf = (
  setting: Setting,
  { memberships }: UserSnapshot
): Effect.Effect<readonly [Place, ...Array<Place>], { readonly reason: OrganizationRequired | AccessUnknown }> => {
  if (setting === "off") return Effect.succeed([undefined])
  const [first, ...others] = memberships ?? []
  if (first !== undefined) {
    const personal = setting !== "required" && others.length > 0
    return Effect.succeed([first, ...others, ...(personal ? [undefined] : [])])
  }
  if (setting !== "required") return Effect.succeed([undefined])
  return Effect.fail({
    reason:
      memberships === null ? new AccessUnknown({ retryAfterSeconds: 60, passes: false }) : new OrganizationRequired()
  })
}

/** The account does not belong to the organization whose address the client connects to, or there is none. */
export class NotAMember extends Schema.TaggedError<NotAMember>()("NotAMember", { slug: Schema.String }) {
  override get message(): string {
    return `This account does not belong to an organization with the name ${this.slug} in its address.`
  }
}

/** The one place that an address names, of those that somebody can connect an app for. */
export const placeAt = (
  places: ReadonlyArray<Place>,
  slug: string
): Effect.Effect<readonly [Place], { readonly reason: NotAMember }> => {
  const found = places.find((place) => place?.slug === slug)
  return found === undefined ? Effect.fail({ reason: new NotAMember({ slug }) }) : Effect.succeed([found])
}

/** How a form names a place. */
export const nameOf = (place: Place): string => place?.id ?? "personal"

/**
 * The name of the place to propose: what is open where the person signed in, else what their newest grant for the same
 * client is for, else the first.
 */
export const proposalOf = (
  places: readonly [Place, ...Array<Place>],
  open: OrganizationId | undefined,
  grants: ReadonlyArray<Grant>
): string => {
  const names = new Set<string | undefined>(places.map(nameOf))
  const newestFirst = grants.toSorted((one, other) => other.createdAt - one.createdAt)
  const wishes = [open, ...newestFirst.map(({ organizationId }) => organizationId ?? nameOf(undefined))]
  return wishes.find((wish) => names.has(wish)) ?? nameOf(places[0])
}
