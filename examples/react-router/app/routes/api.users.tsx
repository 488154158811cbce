import type { LoaderFunctionArgs } from "react-router"
import { users } from "../mcp.server.ts"

/** Everyone, a page at a time: for administrators. */
export const loader = ({ request }: LoaderFunctionArgs): Promise<Response> => users(request)
