import { mcp } from "../../../lib/mcp.ts"

/** The person on whose behalf the MCP server calls. */
export const GET = (request: Request): Promise<Response> => mcp().me(request)
