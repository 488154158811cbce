import { isClerkAPIResponseError } from "@clerk/backend/errors"
import { apiError, mcpApi } from "./Api.ts"
import { type ClerkUser, clerkClient } from "./Session.ts"
import type { Settings } from "./Settings.ts"

/** A person as `/api/me` and `/api/users` show them. */
export interface Person {
  readonly id: string
  readonly email: string | null
  readonly firstName: string | null
  readonly lastName: string | null
  readonly role: string | null
}

export interface UserRoutes {
  /** `GET /api/me`: the person on whose behalf the MCP server calls, with the role as it is now. */
  readonly me: (request: Request) => Promise<Response>
  /** `GET /api/users?limit=&offset=`: everyone, a page at a time, and how many they are. For administrators. */
  readonly users: (request: Request) => Promise<Response>
  /** One person, for the application's own pages. Rejects where Clerk does not answer or knows nobody of this id. */
  readonly person: (id: string) => Promise<Person>
}

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

/** JSON that nobody keeps; what Clerk cannot answer becomes an error of the API. */
const answer = async (read: () => Promise<unknown>): Promise<Response> => {
  try {
    return Response.json(await read(), { headers: { "cache-control": "no-store" } })
  } catch (cause) {
    // A user who was deleted after the token was made.
    if (isClerkAPIResponseError(cause) && cause.status === 404) {
      return apiError(401, "invalid_token", "The token's user does not exist any more.")
    }
    console.error(cause)
    return apiError(503, "unavailable", "The users cannot be read at the moment.")
  }
}

interface Range {
  readonly from: number
  readonly to: number
  readonly otherwise: number
}

const whole = (text: string | null, { from, to, otherwise }: Range): number | undefined => {
  if (text === null) return otherwise
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1
  return value >= from && value <= to ? value : undefined
}

/** What the MCP server's tools `myProfile` and `listUsers` call. An application with its own users answers from there. */
export const userRoutes = (settings: Settings): UserRoutes => {
  const callerOf = mcpApi(settings)
  const clerk = clerkClient(settings)
  const person = async (id: string): Promise<Person> => personOf(await clerk.users.getUser(id))

  /** Oldest first, so that a page does not move while people join. */
  const people = async (page: { readonly limit: number; readonly offset: number }) => {
    const { data, totalCount } = await clerk.users.getUserList({ ...page, orderBy: "+created_at" })
    return { users: data.map(personOf), total: totalCount }
  }

  return {
    person,

    me: async (request) => {
      const caller = await callerOf(request)
      return caller instanceof Response ? caller : answer(() => person(caller.userId))
    },

    users: async (request) => {
      const caller = await callerOf(request)
      if (caller instanceof Response) return caller
      if (caller.role !== "admin") return apiError(403, "forbidden", "Only administrators may list users.")
      const { searchParams } = new URL(request.url)
      const limit = whole(searchParams.get("limit"), { from: 1, to: 100, otherwise: 20 })
      const offset = whole(searchParams.get("offset"), { from: 0, to: 999_999_999, otherwise: 0 })
      if (limit === undefined) return apiError(400, "invalid_request", "limit has to be a number from 1 to 100.")
      if (offset === undefined) return apiError(400, "invalid_request", "offset has to be a number from 0.")
      return answer(() => people({ limit, offset }))
    }
  }
}
