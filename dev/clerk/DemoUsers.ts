import { stableId, UserId } from "./Ids.ts"

/** A person as the demo starts with. */
export interface DemoUser {
  readonly id: UserId
  readonly email: string
  readonly firstName: string
  readonly lastName: string
  readonly role: string | undefined
  readonly banned: boolean
}

const person = (
  email: string,
  firstName: string,
  lastName: string,
  role: string | undefined,
  banned = false
): DemoUser => ({ id: UserId.make(stableId("user", email)), email, firstName, lastName, role, banned })

/** The five demo users. Their ids are derived from the address, so they are the same at every start. */
export const demoUsers = {
  admin: person("admin@example.com", "Ada", "Marlowe", "admin"),
  premium: person("premium@example.com", "Priya", "Oakes", "premium"),
  artist: person("artist@example.com", "Arlo", "Finch", "image_generation"),
  member: person("member@example.com", "Mina", "Castell", undefined),
  banned: person("banned@example.com", "Boris", "Quill", undefined, true)
} as const

/** An organization, and the place of its one member in it. */
export interface Organization {
  readonly id: string
  readonly name: string
  readonly slug: string
  readonly membershipId: string
  readonly role: string
  readonly roleName: string
  readonly permissions: ReadonlyArray<string>
}

/** The organization that the demo administrator belongs to. */
export const demoOrganization: Organization = {
  id: stableId("org", "northwind"),
  name: "Northwind Studio",
  slug: "northwind-studio",
  membershipId: stableId("orgmem", "northwind-admin"),
  role: "org:admin",
  roleName: "Admin",
  permissions: ["org:sys_profile:manage", "org:sys_memberships:read", "org:sys_memberships:manage"]
}
