import { mcp } from "../../lib/mcp.ts"

/** Ends the Clerk session itself, and with it what MCP clients may do in its name. */
export const POST = (request: Request): Promise<Response> => mcp().signOut(request)
