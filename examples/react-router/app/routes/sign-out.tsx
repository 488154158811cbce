import type { ActionFunctionArgs } from "react-router"
import { endSession } from "../mcp.server.ts"

/** Ends the Clerk session itself, and with it what MCP clients may do in its name. */
export const action = ({ request }: ActionFunctionArgs): Promise<Response> => endSession(request)
