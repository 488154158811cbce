import type { LoaderFunctionArgs } from "react-router"
import { me } from "../mcp.server.ts"

/** The person on whose behalf the MCP server calls. */
export const loader = ({ request }: LoaderFunctionArgs): Promise<Response> => me(request)
