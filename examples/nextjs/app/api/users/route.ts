import { mcp } from "../../../lib/mcp.ts"

/** Everyone, a page at a time: for administrators. */
export const GET = (request: Request): Promise<Response> => mcp().users(request)
