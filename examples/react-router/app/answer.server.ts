import { isClerkAPIResponseError } from "@clerk/backend/errors"
import { apiError } from "mcp-app-kit/api"

/** JSON that nobody keeps; what Clerk cannot answer becomes an error of the API. */
export const answer = async (read: () => Promise<unknown>): Promise<Response> => {
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
