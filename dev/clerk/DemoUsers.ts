import { stableId, UserId } from "./Ids.ts"

/** The demo was founded at this moment; a minute lies between those who came later, so that ordering is visible. */
export const founded = Date.UTC(2026, 0, 5, 9)

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

/** The demo users. Their ids are derived from the address, so they are the same at every start. */
export const demoUsers = {
  admin: person("admin@example.com", "Ada", "Marlowe", "admin"),
  premium: person("premium@example.com", "Priya", "Oakes", "premium"),
  artist: person("artist@example.com", "Arlo", "Finch", "image_generation"),
  member: person("member@example.com", "Mina", "Castell", undefined),
  analyst: person("analyst@example.com", "Anouk", "Verne", undefined),
  banned: person("banned@example.com", "Boris", "Quill", undefined, true)
} as const
