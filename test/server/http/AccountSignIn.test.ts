import { assert, describe, it } from "@effect/vitest"

import { ClerkUnavailable } from "../../../src/server/clerk/ClerkError.ts"
import { locationOf, Visitor } from "../../../src/server/testing/Visitor.ts"
import { accountServer, begun, origin, page, signedIn } from "../../support/AtAccount.ts"
import { appOrigin, comeBack, sessionToken, throughApp } from "../../support/AtApp.ts"

const another = new URLSearchParams({ as: "another" })

/** A page of the server's own that signs nobody in. */
const assertRefused = async (browser: Visitor, response: Response, status: number, words: string) => {
  assert.strictEqual(response.status, status)
  assert.isNull(response.headers.get("location"))
  const text = await response.text()
  assert.include(text, words)
  assert.notInclude(text, "Go back to your app")
  assert.notInclude(browser.cookies, "__Host-account")
}

describe("the sign-in to the account page with Clerk", () => {
  const started = async () => {
    const server = accountServer()
    const browser = new Visitor(server.handler, origin)
    return { server, browser, state: await begun(browser) }
  }

  it("says what went wrong, and leads nowhere", async () => {
    for (const [query, status, words] of [
      [{ code: "user_banned" }, 403, "can no longer use this server"],
      [{ error: "access_denied" }, 403, "You did not sign in"],
      [{ error: "access_denied" }, 403, "Open the page of your connected apps"],
      [{ error: "server_error" }, 502, "Signing in failed"],
      [{}, 400, "came back without a code"],
      [{ code: "user_unknown" }, 502, "Signing in failed"]
    ] as const) {
      const { browser, state } = await started()
      await assertRefused(browser, await browser.get("/callback", { state, ...query }), status, words)
    }
    const { server, browser, state } = await started()
    server.clerk.outage = new ClerkUnavailable({ operation: "users.getUser" })
    await assertRefused(browser, await browser.get("/callback", { state, code: "user_mina" }), 503, "not possible")
  })

  it("is for the browser that began it, and once", async () => {
    const { server, browser, state } = await started()
    const stranger = new Visitor(server.handler, origin)
    assert.strictEqual((await stranger.get("/callback", { state, code: "user_mina" })).status, 400)
    assert.notInclude(stranger.cookies, "__Host-account")
    await browser.get("/callback", { state, code: "user_mina" })
    assert.include(await page(browser), "mina@example.com")
    const { status } = await browser.get("/callback", { state, code: "user_ada" })
    assert.strictEqual(status, 400)
    assert.include(await page(browser), "mina@example.com")
  })

  it("is nothing that a client can ask for", async () => {
    const { browser } = await started()
    for (const client_id of ["", "account"]) {
      const response = await browser.get("/authorize", {
        response_type: "code",
        client_id,
        redirect_uri: `${origin}/account`,
        scope: "",
        state: "",
        code_challenge: "x".repeat(43),
        code_challenge_method: "S256"
      })
      assert.strictEqual(response.status, 400)
      assert.isNull(response.headers.get("location"))
    }
  })

  it("is anew for whoever wants to use another account", async () => {
    const { browser } = await started()
    assert.isNull(locationOf(await browser.post("/account/sign-in", new URLSearchParams())).searchParams.get("prompt"))
    assert.strictEqual(locationOf(await browser.post("/account/sign-in", another)).searchParams.get("prompt"), "login")
  })

  it("sets a cookie of half an hour that no script reads and no other site sends along", async () => {
    const { browser, state } = await started()
    const back = await browser.get("/callback", { state, code: "user_mina" })
    const cookie = back.headers.getSetCookie().find((each) => each.startsWith("__Host-account=")) ?? ""
    assert.match(cookie, /^__Host-account=[\w.-]+; Path=\/; Max-Age=1800; HttpOnly; Secure; SameSite=Lax$/u)
    const [, claims = "", signature = ""] = /\.([\w-]+)\.([\w-]+);/u.exec(cookie) ?? []
    assert.notInclude(Buffer.from(claims, "base64url").toString(), "example.com")
    // Nor does the page hold what would make up the cookie.
    assert.notInclude(await page(browser), signature)
  })
})

describe("the sign-in to the account page through the app", () => {
  const started = async () => {
    const server = accountServer(throughApp)
    server.clerk.sessions.set("sess_ada", "user_ada")
    const browser = new Visitor(server.handler, origin)
    const next = locationOf(await browser.post("/account/sign-in", new URLSearchParams()))
    assert.strictEqual(next.origin + next.pathname, `${appOrigin}/auth/mcp`)
    return { server, browser, state: next.searchParams.get("state") ?? "" }
  }

  it("opens the page, makes no grant, and leaves no proof in the browser", async () => {
    const { server, browser, state } = await started()
    const back = await comeBack(browser, { state, session_token: sessionToken() })
    assert.strictEqual(back.headers.get("location"), "/account")
    assert.include(await page(browser), "ada@example.com")
    assert.notInclude(browser.cookies, "app-proof")
    assert.isEmpty(await server.accounts.grants())
  })

  it("says what went wrong, and leads nowhere", async () => {
    const { browser, state } = await started()
    await assertRefused(browser, await comeBack(browser, { state, error: "access_denied" }), 403, "You did not sign in")
    const { server, browser: other, state: second } = await started()
    server.clerk.sessions.clear()
    await assertRefused(
      other,
      await comeBack(other, { state: second, session_token: sessionToken() }),
      403,
      "You are signed out"
    )
  })

  it("is anew for whoever wants to use another account", async () => {
    const { browser } = await started()
    assert.strictEqual(locationOf(await browser.post("/account/sign-in", another)).searchParams.get("prompt"), "login")
  })

  it("is not the sign-in with Clerk", async () => {
    const { browser, state } = await started()
    assert.notStrictEqual((await browser.get("/callback", { state, code: "user_ada" })).status, 302)
    assert.notInclude(browser.cookies, "__Host-account")
    await signedIn(accountServer(), "user_ada")
  })
})
