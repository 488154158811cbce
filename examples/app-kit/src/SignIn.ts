import { type Session, sessionReader, signInAddress } from "./Session.ts"
import type { Settings } from "./Settings.ts"
import { postingPage } from "./SignInPage.ts"

export interface SignInOptions {
  /** Answers true for a person who may not connect MCP clients; they come back to the client with `access_denied`. */
  readonly decline?: (session: Extract<Session, { kind: "signed-in" }>) => boolean | Promise<boolean>
}

const maximumStateLength = 4096

const refusal = (status: number, explanation: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(`${explanation}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", ...headers }
  })

/**
 * The page at `/auth/mcp`, where the MCP server sends a person who has consented to a client. It posts the person's
 * session token back to the MCP server's `/callback`, together with the `state` that came. It does not ask again, and a
 * `state` from elsewhere is of no use: the MCP server knows the browser that it gave it to.
 */
export const mcpSignIn = (
  settings: Settings,
  options: SignInOptions = {}
): ((request: Request) => Promise<Response>) => {
  const sessionOf = sessionReader(settings)
  const callback = `${settings.mcpServerUrl}/callback`

  return async (request) => {
    if (request.method !== "GET") return refusal(405, "This page can only be visited.", { allow: "GET" })
    // Scripts and frames have no business with a page that holds a token, nor with its data.
    const destination = request.headers.get("sec-fetch-dest") ?? "document"
    if (destination !== "document") return refusal(403, "This page can only be visited.")
    const { pathname, searchParams } = new URL(request.url)
    const [state = "", ...others] = searchParams.getAll("state")
    if (state === "" || state.length > maximumStateLength || others.length > 0) {
      return refusal(400, "Start in your MCP client: it sends you here with a state.")
    }

    const session = await sessionOf(request)
    switch (session.kind) {
      case "redirect":
        return session.response
      case "refused":
        return refusal(500, `Clerk's session could not be verified here (${session.reason}).`)
      case "signed-out": {
        const here = new URL(`${new URL(settings.appUrl).origin}${pathname}`)
        here.searchParams.set("state", state)
        const headers = new Headers(session.headers)
        headers.set("location", signInAddress(settings, here.href))
        headers.set("cache-control", "no-store")
        return new Response(null, { status: 303, headers })
      }
      case "signed-in": {
        const declined = (await options.decline?.(session)) === true
        const outcome: Record<string, string> = declined ? { error: "access_denied" } : { session_token: session.token }
        return postingPage(callback, { state, ...outcome }, session.headers)
      }
    }
  }
}
