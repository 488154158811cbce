import { assert, describe, it } from "@effect/vitest"

import { ClerkMisconfigured, ClerkUnavailable } from "../../../src/server/clerk/ClerkError.ts"
import {
  appOrigin,
  appServer,
  assertPage,
  atApp,
  comeBack,
  goToApp,
  outcome,
  sessionToken,
  throughApp
} from "../../support/AtApp.ts"
import { connect } from "../../../src/server/testing/McpClient.ts"
import { testApp } from "../../support/TestApp.ts"
import { authorizationRequest, jsonOf, locationOf, type Visitor } from "../../../src/server/testing/Visitor.ts"

const offered = async (visitor: Visitor) => {
  const page = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
  const text = await page.text()
  return { text, scopes: [...text.matchAll(/ name="scope" value="([^"]+)"/gu)].map(([, scope]) => scope) }
}

describe("signing in through the app", () => {
  it("leads from consent to a token whose grant holds the session", async () => {
    const { clientId, handler, kv, log, state, visitor } = await atApp()
    const handed = await visitor.handOver({ state, session_token: sessionToken() }, appOrigin)
    assert.strictEqual(handed.status, 302)
    assert.strictEqual(handed.headers.get("cache-control"), "no-store")
    assert.deepStrictEqual(Object.fromEntries(locationOf(handed).searchParams), { state })
    const [cookie = "", ...more] = handed.headers.getSetCookie()
    assert.lengthOf(more, 0)
    assert.match(cookie, /^__Host-app-proof-[\w-]{16}=[\w.-]+; Path=\/; Max-Age=60; HttpOnly; Secure; SameSite=Lax$/u)

    const back = await visitor.get(locationOf(handed))
    assert.strictEqual(outcome(back), "a code")
    assert.notInclude(visitor.cookies, "app-proof")
    const tokens = await jsonOf(await visitor.redeem(clientId, locationOf(back).searchParams.get("code") ?? ""))
    const client = await connect(handler, String(tokens["access_token"]))
    // The one place where the session is told: to the person whom it belongs to.
    const { structuredContent } = await client.callTool({ name: "whoAmI", arguments: {} })
    assert.deepInclude(structuredContent, { userId: "user_ada", clerkSessionId: "sess_ada" })
    // Its grant names it in clear, in the object of the user, so that it is found, and ends, when the session does.
    assert.notInclude(JSON.stringify([kv.dump(), log]), "sess_ada")
  })

  it("announces the app on the consent page, and offers what can be read there", async () => {
    const { text, scopes } = await offered(appServer().visitor)
    assert.include(text, "You go on to app.example.com on the next page")
    assert.include(scopes, "app:use")
    const { clientId, visitor } = await atApp()
    await goToApp(visitor, clientId, "mcp:tools app:use")
  })

  it("knows nothing of that without an app", async () => {
    const { visitor } = testApp()
    const { text, scopes } = await offered(visitor)
    assert.include(text, "You sign in with Clerk on the next page")
    assert.notInclude(scopes, "app:use")
    const request = await authorizationRequest(await visitor.register(), "mcp:tools app:use")
    assert.strictEqual(outcome(await visitor.get("/authorize", request)), "invalid_scope")
  })

  it("lets two sign-ins of one browser go on side by side, with the same token", async () => {
    const { clientId, state, visitor } = await atApp()
    const other = await goToApp(visitor, clientId)
    const [first, second] = [
      await visitor.handOver({ state, session_token: sessionToken() }, appOrigin),
      await visitor.handOver({ state: other, session_token: sessionToken() }, appOrigin)
    ]
    assert.strictEqual(outcome(await visitor.get(locationOf(first))), "a code")
    assert.strictEqual(outcome(await visitor.get(locationOf(second))), "a code")
  })

  it("asks again where somebody else signs in than the one whose consent the browser remembers", async () => {
    const { clerk, clientId, state, visitor } = await atApp()
    clerk.sessions.set("sess_mina", "user_mina")
    assert.strictEqual(outcome(await comeBack(visitor, { state, session_token: sessionToken() })), "a code")
    const consent = await visitor.get("/authorize", await authorizationRequest(clientId))
    const handle = /name="handle" value="([^"]+)"/u.exec(await consent.text())?.[1] ?? ""
    await visitor.post("/authorize", new URLSearchParams({ handle, decision: "approve", remember: "yes" }))
    const remembered = async () => {
      const signIn = locationOf(await visitor.get("/authorize", await authorizationRequest(clientId)))
      return signIn.searchParams.get("state") ?? ""
    }
    const mina = { session_token: sessionToken({ sub: "user_mina", sid: "sess_mina" }) }
    const asked = await comeBack(visitor, { state: await remembered(), ...mina })
    assert.strictEqual(asked.status, 200)
    assert.include(await asked.text(), "app.example.com")
    const again = await comeBack(visitor, { state: await remembered(), session_token: sessionToken() })
    assert.strictEqual(outcome(again), "a code")
  })
})

describe("a sign-in through the app that fails", () => {
  type Scene = Awaited<ReturnType<typeof atApp>>
  const failures: ReadonlyArray<
    readonly [what: string, form: Readonly<Record<string, string>>, change: (scene: Scene) => unknown, error: string]
  > = [
    ["the person shall not connect", { error: "access_denied" }, () => {}, "access_denied"],
    ["the app failed", { error: "<script>\r\nset-cookie: a=b" }, () => {}, "server_error"],
    ["the app says both", { error: "access_denied", session_token: sessionToken() }, () => {}, "access_denied"],
    ["the token is none", { session_token: "a.b.c" }, () => {}, "server_error"],
    ["the token lacks a claim", { session_token: sessionToken({ nbf: undefined }) }, () => {}, "server_error"],
    [
      "the token is of another app",
      { session_token: sessionToken({ azp: "https://other.example" }) },
      () => {},
      "server_error"
    ],
    ["the session has ended", {}, ({ clerk }) => clerk.sessions.clear(), "access_denied"],
    ["the session is somebody else’s", {}, ({ clerk }) => clerk.sessions.set("sess_ada", "user_mina"), "server_error"],
    ["the user is banned", {}, ({ clerk }) => clerk.users.set("user_ada", { banned: true }), "access_denied"],
    ["the user was deleted", {}, ({ clerk }) => clerk.users.clear(), "access_denied"],
    [
      "Clerk is down",
      {},
      ({ clerk }) => (clerk.outage = new ClerkUnavailable({ operation: "users.getUser", status: 503 })),
      "temporarily_unavailable"
    ]
  ]
  for (const [what, form, change, error] of failures) {
    it(`tells the client ${error} when ${what}, grants nothing, and is over`, async () => {
      const scene = await atApp()
      change(scene)
      const whole = { state: scene.state, ...("error" in form ? {} : { session_token: sessionToken() }), ...form }
      const back = await comeBack(scene.visitor, whole)
      assert.strictEqual(outcome(back), error)
      assert.match(
        locationOf(back).searchParams.get("error_description") ?? "",
        /^[\x20-\x7E]+ Reference [A-Z2-9]{8}$/u
      )
      assert.strictEqual(locationOf(await comeBack(scene.visitor, whole)).href, locationOf(back).href)
      assert.strictEqual(await scene.grants(), 0)
    })
  }

  for (const [reason, error] of [
    [
      new ClerkUnavailable({ operation: "sessions.getSession", status: 429, retryAfter: 30 }),
      "temporarily_unavailable"
    ],
    [new ClerkMisconfigured({ operation: "sessions.getSession", status: 401 }), "server_error"]
  ] as const) {
    it(`tells the client ${error} when Clerk says nothing about the session: ${reason._tag}`, async () => {
      const { clerk, clientId, grants, state, visitor } = await atApp()
      // The account is known from a moment ago.
      assert.strictEqual(outcome(await comeBack(visitor, { state, session_token: sessionToken() })), "a code")
      const next = await goToApp(visitor, clientId)
      clerk.outage = reason
      assert.strictEqual(outcome(await comeBack(visitor, { state: next, session_token: sessionToken() })), error)
      assert.strictEqual(await grants(), 1)
    })
  }
})

describe("POST /callback without an app", () => {
  for (const settings of [{}, { APP_URL: throughApp.APP_URL }]) {
    it(`is refused: ${JSON.stringify(settings)}`, async () => {
      const { clerk, kv, visitor } = testApp(settings)
      clerk.sessions.set("sess_ada", "user_ada")
      const consent = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
      const state = (await visitor.decide(consent, "approve")).searchParams.get("state") ?? ""
      const before = kv.calls.length
      const handed = await visitor.handOver({ state, session_token: sessionToken() }, appOrigin)
      await assertPage(handed, "People sign in to this server with Clerk")
      assert.strictEqual(kv.calls.length, before)
    })
  }
})
