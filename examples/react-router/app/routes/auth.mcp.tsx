import type { LoaderFunctionArgs } from "react-router"
import { signInForMcp } from "../mcp.server.ts"

/** Where the MCP server sends people to sign in. */
export const loader = ({ request }: LoaderFunctionArgs): Promise<Response> => signInForMcp(request)
