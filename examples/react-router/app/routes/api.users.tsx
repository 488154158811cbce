import { apiError } from "mcp-app-kit/api"
import type { LoaderFunctionArgs } from "react-router"
import { answer } from "../answer.server.ts"
import { callerOf } from "../mcp.server.ts"
import { people } from "../people.server.ts"

const whole = (
  text: string | null,
  range: { readonly from: number; readonly to: number; readonly otherwise: number }
) => {
  if (text === null) return range.otherwise
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1
  return value >= range.from && value <= range.to ? value : undefined
}

/** Everyone, a page at a time: for administrators. */
export const loader = async ({ request }: LoaderFunctionArgs): Promise<Response> => {
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
