import { assert } from "@effect/vitest"

import { unsigned } from "../../src/server/testing/FakeClerk.ts"
import { testApp } from "./TestApp.ts"
import {
  authorizationRequest,
  type Handler,
  locationOf,
  redirectUri,
  Visitor
} from "../../src/server/testing/Visitor.ts"

/** The team's own app. */
export const appOrigin = "https://app.example.com"

/** The settings of a server to which people sign in through that app. */
export const throughApp = { SIGN_IN: "app", APP_URL: appOrigin } as const

/** What the app's page gets from Clerk for Ada's session. */
export const sessionToken = (claims: object = {}) =>
  unsigned({ sub: "user_ada", sid: "sess_ada", azp: appOrigin, nbf: 0, ...claims })

/** Parts of every session token, which nobody is to find anywhere. */
const confidential = [sessionToken().split(".")[2] ?? "", "sess_"]

/** A handler that fails the test where a page, an address or a status would be wrong whatever the request was. */
const watched =
  (handler: Handler): Handler =>
  async (request) => {
    const response = await handler(request)
    const location = response.headers.get("location")
    const text = await response.clone().text()
    assert.isBelow(response.status, 500)
    for (const part of confidential) assert.notInclude(`${location}\n${text}`, part)
    if (location !== null) {
      const { origin, pathname } = new URL(location)
      const known = [redirectUri, `${appOrigin}/auth/mcp`, "https://mcp.example.com/callback"]
      assert.include(known, origin + pathname)
    }
    return response
  }

/** A server to which people sign in through the app, where Ada has a session. */
export const appServer = () => {
  const app = testApp(throughApp)
  const watchedHandler = watched(app.handler)
  app.clerk.sessions.set("sess_ada", "user_ada")
  return {
    ...app,
    visitor: new Visitor(watchedHandler),
    /** Another browser. */
    stranger: () => new Visitor(watchedHandler),
    /** How many grants there are. The log, by the way, must not hold what nobody is to find. */
    grants: async () => {
      for (const part of confidential) assert.notInclude(app.log.join("\n"), part)
      return (await app.accounts.grants()).length
    }
  }
}

/** Consents, and returns the `state` with which the browser is sent to the app. */
export const goToApp = async (visitor: Visitor, clientId: string, scope?: string) => {
  const consent = await visitor.get("/authorize", await authorizationRequest(clientId, scope))
  const signIn = await visitor.decide(consent, "approve")
  assert.strictEqual(signIn.origin + signIn.pathname, `${appOrigin}/auth/mcp`)
  assert.deepStrictEqual([...signIn.searchParams.keys()], ["state"])
  return signIn.searchParams.get("state") ?? ""
}

/** A browser of Ada's that has consented and is now at the app. */
export const atApp = async () => {
  const server = appServer()
  const clientId = await server.visitor.register()
  return { ...server, clientId, state: await goToApp(server.visitor, clientId) }
}

/** Hands a form over as the app's page does, and goes where the browser is sent: where it ends. */
export const comeBack = async (visitor: Visitor, form: Readonly<Record<string, string>>) =>
  visitor.get(locationOf(await visitor.handOver(form, appOrigin)))

/** What the client is told. */
export const outcome = (response: Response) => {
  const { origin, pathname, searchParams } = locationOf(response)
  assert.strictEqual(origin + pathname, redirectUri)
  assert.strictEqual(searchParams.get("state"), "the-state-of-the-client")
  assert.strictEqual(searchParams.get("iss"), "https://mcp.example.com")
  return searchParams.get("error") ?? "a code"
}

/** A page of the server's own, which sends the browser nowhere and leaves no cookie: at most it takes the proof away. */
export const assertPage = async (response: Response, text: string, status = 400) => {
  assert.strictEqual(response.status, status)
  assert.isNull(response.headers.get("location"))
  for (const cookie of response.headers.getSetCookie())
    assert.match(cookie, /^__Host-app-proof-[\w-]{16}=; .*Max-Age=0/u)
  assert.include(await response.text(), text)
}
