import type { ClerkMembership, ClerkUser } from "../clerk/ClerkApi.ts"
import { ClientId, ClerkSessionId, GrantId, OrganizationId, type Principal, UserId } from "../domain/Principal.ts"
import { baseline } from "../domain/Scope.ts"

/** An organization, and the user's place in it. Everything has a default, by the order in which a user names them. */
export interface TestOrganization {
  /** Clerk's id of the organization, which starts with `org_`: `org_1`, `org_2` and so on. */
  readonly id?: string
  readonly slug?: string | null
  readonly name?: string
  /** `org:member`, unless it is given. */
  readonly role?: string
  /** None, unless they are given. */
  readonly permissions?: ReadonlyArray<string>
}

/** A user as Clerk knows them. Everything has a default: `{}` is Ada, who has no role and is in no organization. */
export interface TestUser extends Partial<Omit<ClerkUser, "id" | "primaryEmailAddress" | "publicMetadata">> {
  /** Clerk's id of the user, which starts with `user_`. */
  readonly id?: string
  readonly email?: string | null
  /** `role` of the public metadata; a test may put anything there that a careless backend could write. */
  readonly role?: ClerkUser["publicMetadata"][string] | undefined
  /** The public metadata beside the role. */
  readonly metadata?: ClerkUser["publicMetadata"]
  /** The organizations that the user belongs to. */
  readonly organizations?: ReadonlyArray<TestOrganization>
}

/** A user together with the connection that a call comes by. */
export interface TestCaller extends TestUser {
  /** What the access token was granted beside `mcp:tools`. */
  readonly scopes?: ReadonlyArray<string>
  /**
   * The id of the organization that the connection is for, null for the personal account. The first of the user's, unless
   * it is given.
   */
  readonly organization?: string | null
  readonly clientId?: string
  readonly grantId?: string
  /** The Clerk session, which is known where people sign in through the team's app. */
  readonly clerkSessionId?: string
}

/** The id of the user of whom a test says nothing else. */
const defaultId = "user_ada"

export const idOf = ({ id = defaultId }: TestUser): UserId => UserId.make(id)

/** What Clerk's Backend API tells of the user. */
export const clerkUser = (user: TestUser): ClerkUser => {
  const { email = "ada@example.com", role, metadata } = user
  return {
    id: idOf(user),
    primaryEmailAddress: email === null ? null : { emailAddress: email },
    firstName: user.firstName === undefined ? "Ada" : user.firstName,
    lastName: user.lastName === undefined ? "Marlowe" : user.lastName,
    imageUrl: user.imageUrl ?? "https://img.clerk.example/ada",
    banned: user.banned ?? false,
    locked: user.locked ?? false,
    publicMetadata: { ...(role !== undefined && { role }), ...metadata }
  }
}

/** What Clerk's Backend API tells of the user's memberships. */
export const clerkMemberships = ({ organizations = [] }: TestUser): ReadonlyArray<ClerkMembership> =>
  organizations.map(({ id, slug, name, role = "org:member", permissions = [] }, index) => ({
    role,
    permissions,
    organization: {
      id: OrganizationId.make(id ?? `org_${index + 1}`),
      slug: slug === undefined ? `organization-${index + 1}` : slug,
      name: name ?? `Organization ${index + 1}`
    }
  }))

const organizationOf = (caller: TestCaller): Pick<Principal, "organizationId"> => {
  const { organization = clerkMemberships(caller)[0]?.organization.id ?? null } = caller
  return organization === null ? {} : { organizationId: OrganizationId.make(organization) }
}

/** Who sends the calls of this caller. */
export const principalOf = (caller: TestCaller): Principal => ({
  userId: idOf(caller),
  grantId: GrantId.make(caller.grantId ?? "grantOfAda"),
  clientId: ClientId.make(caller.clientId ?? "the-client"),
  scopes: [baseline, ...(caller.scopes ?? [])],
  ...organizationOf(caller),
  ...(caller.clerkSessionId !== undefined && { clerkSessionId: ClerkSessionId.make(caller.clerkSessionId) })
})
