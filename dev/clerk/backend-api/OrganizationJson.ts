import { avatarUrl } from "../Avatar.ts"
import type { ClerkUser } from "../Directory.ts"
import { type ClerkPermission, isSystemPermission, type OrganizationRole } from "../OrganizationRoles.ts"
import type { Membership, Organization } from "../Organizations.ts"
import type { JsonObject } from "./Representation.ts"

/** `Organization` of the Backend API; the count is left out where it was not asked for. */
export const organizationJson = (
  organization: Organization,
  origin: string,
  membersCount: number | undefined
): JsonObject => ({
  id: organization.id,
  object: "organization",
  name: organization.name,
  slug: organization.slug,
  image_url: avatarUrl(origin, organization.id),
  has_image: false,
  ...(membersCount === undefined ? {} : { members_count: membersCount }),
  max_allowed_memberships: 5,
  admin_delete_enabled: true,
  public_metadata: {},
  private_metadata: {},
  created_at: organization.createdAt,
  updated_at: organization.updatedAt
})

/** `OrganizationMembership` of the Backend API. */
export const membershipJson = (
  membership: Membership,
  user: ClerkUser,
  origin: string,
  membersCount: number
): JsonObject => ({
  id: membership.id,
  object: "organization_membership",
  role: membership.role,
  role_name: membership.roleName,
  permissions: membership.permissions,
  public_metadata: {},
  private_metadata: {},
  organization: organizationJson(membership.organization, origin, membersCount),
  public_user_data: {
    user_id: user.id,
    identifier: user.email,
    first_name: user.firstName,
    last_name: user.lastName,
    username: user.username,
    profile_image_url: avatarUrl(origin, user.id),
    image_url: avatarUrl(origin, user.id),
    has_image: true,
    banned: user.banned
  },
  created_at: membership.createdAt,
  updated_at: membership.updatedAt
})

/** `Permission` of the Backend API. */
export const permissionJson = (permission: ClerkPermission): JsonObject => ({
  id: permission.id,
  object: "permission",
  name: permission.name,
  key: permission.key,
  description: "",
  type: isSystemPermission(permission.key) ? "system" : "custom",
  created_at: permission.createdAt,
  updated_at: permission.updatedAt
})

/** `Role` of the Backend API. */
export const roleJson = (role: OrganizationRole): JsonObject => ({
  id: role.id,
  object: "role",
  name: role.name,
  key: role.key,
  description: null,
  is_creator_eligible: role.key === "org:admin",
  permissions: role.permissions.map(permissionJson),
  created_at: role.createdAt,
  updated_at: role.updatedAt
})
