import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import type { ClerkMembership, ClerkUser } from "../clerk/ClerkApi.ts"
import { OrganizationId, type Principal, UserId } from "../domain/Principal.ts"
import { Role } from "../domain/Role.ts"
import type { PolicyInput } from "./Policy.ts"

/** The user's place in one organization, and what of the organization a tool is told. */
export const Membership = Schema.Struct({
  id: OrganizationId,
  slug: Schema.NullOr(Schema.String),
  name: Schema.String,
  /** The key of the user's role in this organization, such as `org:admin`. */
  role: Schema.String,
  /** What the user may do in this organization, such as `org:reports:read`. */
  permissions: Schema.Array(Schema.String)
})
export type Membership = typeof Membership.Type

/** The facts about a user at one moment, as Clerk told them. What a tool is told about its user comes from here. */
export const UserSnapshot = Schema.Struct({
  userId: UserId,
  email: Schema.NullOr(Schema.String),
  firstName: Schema.NullOr(Schema.String),
  lastName: Schema.NullOr(Schema.String),
  imageUrl: Schema.String,
  role: Schema.NullOr(Role),
  metadata: Schema.Record(Schema.String, Schema.Json),
  /** The organizations that the user belongs to; null where Clerk does not tell, which is another thing than none. */
  memberships: Schema.NullOr(Schema.Array(Membership)),
  /**
   * Clerk's lock after failed sign-ins. It is told, and refuses and ends nothing: a stranger who fails to sign in as
   * somebody must not be able to sign that person out.
   */
  locked: Schema.Boolean,
  /** When Clerk was asked, in milliseconds since 1970. */
  takenAt: Schema.Finite
})
export type UserSnapshot = typeof UserSnapshot.Type

const decodeRole = Schema.decodeUnknownOption(Role)

const membership = ({ organization: { id, slug, name }, role, permissions }: ClerkMembership): Membership => ({
  id,
  slug,
  name,
  role,
  permissions: permissions ?? []
})

/** A role that is no string counts as no role. */
export const fromClerk = (
  user: ClerkUser,
  memberships: ReadonlyArray<ClerkMembership> | undefined,
  takenAt: number
): UserSnapshot => ({
  userId: user.id,
  email: user.primaryEmailAddress?.emailAddress ?? null,
  firstName: user.firstName,
  lastName: user.lastName,
  imageUrl: user.imageUrl,
  role: Option.getOrNull(decodeRole(user.publicMetadata["role"])),
  metadata: user.publicMetadata,
  // A membership that is made while the list is read moves another one to the next page, where it is read again.
  memberships:
    memberships === undefined
      ? null
      : [...new Map(memberships.map((each) => [each.organization.id, membership(each)])).values()],
  locked: user.locked,
  takenAt
})

/** The facts that policies are judged on: what the user is, also in the grant's organization, and what the token may do. */
export const policyInput = (
  { role }: UserSnapshot,
  { scopes }: Pick<Principal, "scopes">,
  organization: Membership | undefined
): PolicyInput => ({
  role: role ?? undefined,
  organization: organization && { role: organization.role, permissions: new Set(organization.permissions) },
  scopes: new Set(scopes)
})

/** What of a user decides what the user may use, to compare: the same text for the same facts. */
export const allowing = ({ role, memberships }: UserSnapshot): string =>
  JSON.stringify([
    role,
    memberships
      ?.map((each) => [each.id, each.role, each.permissions.toSorted()] as const)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
  ])
