import type { ClerkUser } from "../Directory.ts"
import type { Organization } from "../Organizations.ts"
import { avatarUrl } from "../Avatar.ts"

/** Claim names by scope, for the id_token and userinfo alike. */
export const claimsByScope = {
  openid: ["sub"],
  email: ["email", "email_verified"],
  profile: ["name", "given_name", "family_name", "picture", "preferred_username"],
  public_metadata: ["public_metadata"],
  private_metadata: ["private_metadata"],
  "user:org:read": ["org_id", "org_name", "org_slug"]
} as const

const everyClaim = (user: ClerkUser, organization: Organization | undefined, origin: string) => ({
  sub: user.id,
  email: user.email,
  email_verified: true,
  name: [user.firstName, user.lastName].filter((part) => part !== null).join(" "),
  given_name: user.firstName,
  family_name: user.lastName,
  picture: avatarUrl(origin, user.id),
  preferred_username: user.username,
  public_metadata: user.publicMetadata,
  private_metadata: user.privateMetadata,
  org_id: organization?.id,
  org_name: organization?.name,
  org_slug: organization?.slug
})

/** The claims of a user that these scopes allow; `sub` is always among them. `organization` is the one signed in to. */
export const userClaims = (
  user: ClerkUser,
  organization: Organization | undefined,
  scopes: ReadonlySet<string>,
  origin: string
) => {
  const allowed = new Set<string>(["sub"])
  for (const [scope, names] of Object.entries(claimsByScope)) {
    if (scopes.has(scope)) names.forEach((name) => allowed.add(name))
  }
  return Object.fromEntries(
    Object.entries(everyClaim(user, organization, origin)).filter(
      ([name, value]) => allowed.has(name) && value !== undefined
    )
  )
}
