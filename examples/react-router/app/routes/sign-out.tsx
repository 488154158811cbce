import { type ActionFunctionArgs, redirect } from "react-router"
import { clerk, sessionOf } from "../mcp.server.ts"

const sessionCookies = (request: Request): ReadonlyArray<string> =>
  (request.headers.get("cookie") ?? "")
    .split(";")
    .map((pair) => pair.split("=", 1)[0]?.trim() ?? "")
    .filter((name) => /^__session(?:_[\w-]+)?$/.test(name))

/** Ends the Clerk session itself, and with it what MCP clients may do in its name. */
export const action = async ({ request }: ActionFunctionArgs): Promise<Response> => {
  const session = await sessionOf(request)
  if (session.kind === "signed-in") await clerk.sessions.revokeSession(session.sessionId)
  const response = redirect("/", 303)
  for (const name of sessionCookies(request)) response.headers.append("set-cookie", `${name}=; Path=/; Max-Age=0`)
  return response
}
