import { type DemoUser, demoUsers } from "./DemoUsers.ts"
import { stableId } from "./Ids.ts"

/** A role as the demo starts with. Its permissions apply in every organization. */
export interface DemoRole {
  readonly key: string
  readonly name: string
  readonly permissions: ReadonlyArray<string>
}

/** An organization as the demo starts with, and its members by the key of their role. */
export interface DemoOrganization {
  readonly id: string
  readonly name: string
  readonly slug: string
  readonly members: ReadonlyArray<readonly [DemoUser, role: string]>
}

/** Clerk's two default roles with the permissions that they have there, and one of the instance's own. */
export const demoRoles: ReadonlyArray<DemoRole> = [
  {
    key: "org:admin",
    name: "Admin",
    permissions: ["org:sys_profile:manage", "org:sys_memberships:read", "org:sys_memberships:manage"]
  },
  { key: "org:member", name: "Member", permissions: ["org:sys_memberships:read"] },
  { key: "org:analyst", name: "Analyst", permissions: ["org:sys_memberships:read", "org:reports:read"] }
]

const organization = (name: string, slug: string, members: DemoOrganization["members"]): DemoOrganization => ({
  id: stableId("org", slug.split("-", 1)[0] ?? slug),
  name,
  slug,
  members
})

/** The oldest first. The analyst is in two of them, and may read reports in one. */
export const demoOrganizations: ReadonlyArray<DemoOrganization> = [
  organization("Northwind Studio", "northwind-studio", [
    [demoUsers.admin, "org:admin"],
    [demoUsers.analyst, "org:member"]
  ]),
  organization("Lumen Labs", "lumen-labs", []),
  organization("Harbor Analytics", "harbor-analytics", [[demoUsers.analyst, "org:analyst"]])
]
