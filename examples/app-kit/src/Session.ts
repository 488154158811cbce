import { type ClerkClient, createClerkClient } from "@clerk/backend"
import { isClerkAPIResponseError } from "@clerk/backend/errors"
import type { Settings } from "./Settings.ts"

/** Clerk's Backend API as these settings reach it. */
export const clerkClient = (settings: Settings): ClerkClient =>
  createClerkClient({
    secretKey: settings.secretKey,
    publishableKey: settings.publishableKey,
    ...(settings.apiUrl !== undefined && { apiUrl: settings.apiUrl }),
    ...(settings.frontendApi !== undefined && { proxyUrl: settings.frontendApi }),
    telemetry: { disabled: true }
  })

export type ClerkUser = Awaited<ReturnType<ClerkClient["users"]["getUser"]>>

/** Who sent a request. `headers` are cookies that have to go out with the answer. */
export type Session =
  | {
      readonly kind: "signed-in"
      readonly userId: string
      readonly sessionId: string
      /** The session token: it carries `sid`, and `azp` is this application. */
      readonly token: string
      readonly headers: Headers
    }
  | { readonly kind: "signed-out"; readonly headers: Headers }
  /** Clerk needs the browser first: send this answer, and the browser comes back. */
  | { readonly kind: "redirect"; readonly response: Response }
  /** There is a token that cannot be accepted. Signing in again would lead to the same. */
  | { readonly kind: "refused"; readonly reason: string }

const signedOutReasons: ReadonlySet<string> = new Set(["session-token-and-uat-missing", "session-token-missing"])

/** What Clerk reads. Without the rest, no header of a proxy or a visitor decides which origin this is. */
const readByClerk = ["cookie", "accept", "sec-fetch-dest", "user-agent"]

/** By these, a development instance hands a browser's session to an app; a production instance does it in cookies. */
const handshakeParameters = new Set(["__clerk_db_jwt", "__clerk_handshake", "__clerk_handshake_nonce"])

/**
 * The query without Clerk's parameters that this app does not expect: somebody who made up a link could otherwise have
 * the browser's credential sent elsewhere, or sign the visitor in as somebody else.
 */
const expected = (search: string, isDevelopment: boolean): string => {
  const query = new URLSearchParams(search)
  for (const name of new URLSearchParams(search).keys()) {
    if (name.startsWith("__clerk") && !(isDevelopment && handshakeParameters.has(name))) query.delete(name)
  }
  return query.toString()
}

const cookiesOf = (headers: Headers): Headers =>
  new Headers(headers.getSetCookie().map((cookie): [string, string] => ["set-cookie", cookie]))

/** Whether Clerk has ended a session, whose token is good for up to a minute more. */
const hasEnded = async (clerk: ClerkClient, sessionId: string): Promise<boolean> => {
  try {
    return (await clerk.sessions.getSession(sessionId)).status !== "active"
  } catch (cause) {
    // Where Clerk does not answer, the MCP server will find out.
    return isClerkAPIResponseError(cause) && cause.status === 404
  }
}

/** `headers` and what takes the session cookies of a request away, so that Clerk is asked who this is. */
export const forgetting = (request: Request, headers: Headers): Headers => {
  const all = new Headers(headers)
  for (const [name] of (request.headers.get("cookie") ?? "").matchAll(/__session(?:_[\w-]+)?(?==)/g)) {
    all.append("set-cookie", `${name}=; Path=/; Max-Age=0`)
  }
  return all
}

/** The sign-in page, from where the browser comes back to an address of this application. */
export const signInAddress = (settings: Settings, backTo: string): string => {
  const url = new URL(settings.signInUrl)
  url.searchParams.set("redirect_url", backTo)
  return url.href
}

/** Answers who sent a request for a page, by Clerk's session cookies. */
export const sessionReader = (settings: Settings): ((request: Request) => Promise<Session>) => {
  const clerk = clerkClient(settings)
  const { origin } = new URL(settings.appUrl)
  const isDevelopment = settings.publishableKey.startsWith("pk_test_")

  return async (request) => {
    const { pathname, search } = new URL(request.url)
    const headers = new Headers()
    for (const name of readByClerk) {
      const value = request.headers.get(name)
      if (value !== null) headers.set(name, value)
    }
    const seen = new Request(`${origin}${pathname}?${expected(search, isDevelopment)}`, { headers })
    const state = await clerk.authenticateRequest(seen, { authorizedParties: [origin] })

    // A handshake, or the end of one: a signed-in state, too, may ask for a redirect.
    if (state.headers.has("location")) {
      return { kind: "redirect", response: new Response(null, { status: 307, headers: state.headers }) }
    }
    const cookies = cookiesOf(state.headers)
    if (!state.isAuthenticated) {
      const isSignedOut = state.reason !== null && signedOutReasons.has(state.reason)
      return isSignedOut ? { kind: "signed-out", headers: cookies } : { kind: "refused", reason: state.reason }
    }
    // A session that still has a task to do, such as choosing an organization, is none yet: the sign-in page knows.
    const { sessionId, userId } = state.toAuth()
    if (userId === null) return { kind: "signed-out", headers: cookies }
    if (await hasEnded(clerk, sessionId)) return { kind: "signed-out", headers: forgetting(request, cookies) }
    return { kind: "signed-in", userId, sessionId, token: state.token, headers: cookies }
  }
}
