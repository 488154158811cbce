import { clerkClient, forgetting, sessionReader } from "../src/Session.ts"
import type { Settings } from "../src/Settings.ts"

/** `POST /sign-out`: ends the Clerk session itself, and with it what MCP clients may do in its name. */
export const signOut = (settings: Settings): ((request: Request) => Promise<Response>) => {
  const clerk = clerkClient(settings)
  const sessionOf = sessionReader(settings)

  const { origin } = new URL(settings.appUrl)

  return async (request) => {
    // Pages of a sibling host are the same site, and their forms carry this app's cookies.
    if (request.headers.get("origin") !== origin) return new Response("Sent by another site.\n", { status: 403 })
    const session = await sessionOf(request)
    if (session.kind === "signed-in") await clerk.sessions.revokeSession(session.sessionId)
    return new Response(null, { status: 303, headers: forgetting(request, new Headers({ location: "/" })) })
  }
}
