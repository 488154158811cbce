import { mcp } from "../../../lib/mcp.ts"

/** Where the MCP server sends people to sign in. */
export const GET = (request: Request): Promise<Response> => mcp().signInForMcp(request)
