import type { ClerkMembership, ClerkUser } from "../clerk/ClerkApi.ts"
import { ClientId, ClerkSessionId, GrantId, type Principal, UserId } from "../domain/Principal.ts"
import { baseline } from "../domain/Scope.ts"

/** A user as Clerk knows them. Everything has a default: `{}` is Ada, who has no role and is in no organization. */
export interface TestUser extends Partial<Omit<ClerkUser, "id" | "primaryEmailAddress" | "publicMetadata">> {
  /** Clerk's id of the user, which starts with `user_`. */
  readonly id?: string
  readonly email?: string | null
  /** `role` of the public metadata; a test may put anything there that a careless backend could write. */
  readonly role?: ClerkUser["publicMetadata"][string] | undefined
  /** The public metadata beside the role. */
  readonly metadata?: ClerkUser["publicMetadata"]
  /** The user's memberships, each with what Clerk tells of it. */
  readonly organizations?: ReadonlyArray<ClerkMembership>
}

/** A user together with the connection that a call comes by. */
export interface TestCaller extends TestUser {
  /** What the access token was granted beside `mcp:tools`. */
  readonly scopes?: ReadonlyArray<string>
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
    publicMetadata: { ...(role !== undefined && { role }), ...metadata }
  }
}

/** Who sends the calls of this caller. */
export const principalOf = (caller: TestCaller): Principal => ({
  userId: idOf(caller),
  grantId: GrantId.make(caller.grantId ?? "grantOfAda"),
  clientId: ClientId.make(caller.clientId ?? "the-client"),
  scopes: [baseline, ...(caller.scopes ?? [])],
  ...(caller.clerkSessionId !== undefined && { clerkSessionId: ClerkSessionId.make(caller.clerkSessionId) })
})
