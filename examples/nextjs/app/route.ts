import { mcp } from "../lib/mcp.ts"

/** The person who is signed in, or where to sign in. */
export const GET = (request: Request): Promise<Response> => mcp().home(request)
