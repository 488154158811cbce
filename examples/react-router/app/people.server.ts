import { clerk } from "./mcp.server.ts"

/** A person as `/api/me` and `/api/users` show them. */
export interface Person {
  readonly id: string
  readonly email: string | null
  readonly firstName: string | null
  readonly lastName: string | null
  readonly role: string | null
}

type ClerkUser = Awaited<ReturnType<typeof clerk.users.getUser>>

const personOf = (user: ClerkUser): Person => {
  const role = user.publicMetadata["role"]
  return {
    id: user.id,
    email: user.primaryEmailAddress?.emailAddress ?? null,
    firstName: user.firstName,
    lastName: user.lastName,
    role: typeof role === "string" ? role : null
  }
}

/** An application with a database of its own would read it here. */
export const person = async (id: string): Promise<Person> => personOf(await clerk.users.getUser(id))

/** Oldest first, so that a page does not move while people join. */
export const people = async (page: { readonly limit: number; readonly offset: number }) => {
  const { data, totalCount } = await clerk.users.getUserList({ ...page, orderBy: "+created_at" })
  return { users: data.map(personOf), total: totalCount }
}
