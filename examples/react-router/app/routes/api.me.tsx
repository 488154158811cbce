import type { LoaderFunctionArgs } from "react-router"
import { callerOf } from "../mcp.server.ts"
import { answer } from "../answer.server.ts"
import { person } from "../people.server.ts"

/** The person on whose behalf the MCP server calls. */
export const loader = async ({ request }: LoaderFunctionArgs): Promise<Response> => {
  const caller = await callerOf(request)
  return caller instanceof Response ? caller : answer(() => person(caller.userId))
}
