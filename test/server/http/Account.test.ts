import { assert, describe, it } from "@effect/vitest"

import { authorizationRequest, jsonOf, locationOf, Visitor } from "../../../src/server/testing/Visitor.ts"
import { accountServer, begun, formTo, origin, page, signedIn, statusWith } from "../../support/AtAccount.ts"

describe("/account", () => {
  it("shows nothing of anybody to whoever is not signed in, and leads to the sign-in", async () => {
    const server = accountServer()
    const browser = new Visitor(server.handler, origin)
    const text = await page(browser)
    assert.include(text, 'action="/account/sign-in"')
    assert.notInclude(text, "@example.com")
    const next = locationOf(await browser.post("/account/sign-in", new URLSearchParams()))
    assert.strictEqual(next.origin, "https://clerk.example.com")
    const fromElsewhere = await browser.post("/account/sign-in", new URLSearchParams(), {
      origin: "https://evil.example"
    })
    assert.strictEqual(fromElsewhere.status, 403)
  })

  it("makes no grant, and a client's own sign-in does not open the page", async () => {
    const server = accountServer()
    await signedIn(server, "user_mina")
    assert.isEmpty(await server.accounts.grants())
    const browser = new Visitor(server.handler, origin)
    const clientId = await browser.register(`${origin}/account`)
    const parameters = { ...(await authorizationRequest(clientId)), redirect_uri: `${origin}/account` }
    const upstream = await browser.decide(await browser.get("/authorize", parameters), "approve")
    const state = upstream.searchParams.get("state") ?? ""
    const back = locationOf(await browser.get("/callback", { state, code: "user_mina" }))
    assert.isTrue(back.searchParams.has("code"))
    assert.notInclude(browser.cookies, "__Host-account")
    assert.include(await page(browser), 'action="/account/sign-in"')
  })

  it("ends one connection: that client is refused at its next call, and the other works on", async () => {
    const server = accountServer()
    const [first, second] = [await server.visitor.signIn("user_mina"), await server.visitor.signIn("user_mina")]
    const browser = await signedIn(server, "user_mina")
    const text = await page(browser)
    assert.include(text, "mina@example.com")
    assert.lengthOf(text.match(/End this connection/gu) ?? [], 2)
    const [, grant] = first.access_token.split(":")
    const ended = await browser.post(
      "/account/end",
      formTo(text, "/account/end", (form) => form.get("grant") === grant)
    )
    assert.strictEqual(ended.headers.get("location"), "/account")
    assert.strictEqual(await statusWith(server, first.access_token), 401)
    assert.strictEqual(await statusWith(server, second.access_token), 200)
    const all = formTo(await page(browser), "/account/end", (form) => form.get("grant") === "all")
    await browser.post("/account/end", all)
    assert.strictEqual(await statusWith(server, second.access_token), 401)
    assert.include(await page(browser), "No app is connected")
    // A second click finds nothing to end.
    assert.strictEqual((await browser.post("/account/end", all)).status, 302)
  })

  it("takes no form of another site, without its token, or with the token of another browser", async () => {
    const server = accountServer()
    const { access_token: token } = await server.visitor.signIn("user_mina")
    const [browser, other] = [await signedIn(server, "user_mina"), await signedIn(server, "user_mina")]
    const own = formTo(await page(browser), "/account/end", (form) => form.get("grant") === "all")
    const foreign = formTo(await page(other), "/account/end", (form) => form.get("grant") === "all")
    const without = new URLSearchParams(own)
    without.delete("token")
    for (const [form, headers] of [
      [own, { origin: "https://evil.example" }],
      [own, { origin: "null" }],
      [without, {}],
      // Of another session of the same person, opened in the same second.
      [foreign, {}]
    ] as const) {
      assert.strictEqual((await browser.post("/account/end", form, headers)).status, 403)
    }
    assert.strictEqual((await new Visitor(server.handler, origin).post("/account/end", own)).status, 403)
    assert.strictEqual(await statusWith(server, token), 200)
  })

  it("believes no cookie that it did not sign for this, and none that is too old", async () => {
    const server = accountServer()
    const browser = await signedIn(server, "user_mina")
    const cookies = browser.cookies
    const value = /__Host-account=([^;]+)/u.exec(cookies)?.[1] ?? ""
    const ask = async (cookie: string) =>
      (
        await server.handler(new Request(`${origin}/account`, { headers: { cookie: `__Host-account=${cookie}` } }))
      ).text()
    assert.include(await ask(value), "mina@example.com")
    const token = formTo(await page(browser), "/account/sign-out").get("token") ?? ""
    for (const forged of [
      `${value.slice(0, -2)}AA`,
      "user_mina",
      token,
      `${value.split(".")[0]}..${value.split(".")[2]}`
    ]) {
      assert.notInclude(await ask(forged), "mina@example.com")
    }
    server.wait(1_801)
    assert.notInclude(await ask(value), "mina@example.com")
  })

  it("is closed to a banned account, also one that was signed in", async () => {
    const server = accountServer()
    const browser = await signedIn(server, "user_mina")
    server.clerk.users.set("user_mina", { id: "user_mina", banned: true })
    server.wait(61)
    const response = await browser.get("/account")
    assert.strictEqual(response.status, 403)
    assert.notInclude(await response.text(), "End all")
  })

  it("shows what was decided, and a client's name as data", async () => {
    const server = accountServer()
    const visitor = new Visitor(server.handler, origin)
    const clientId = await visitor.register("https://client.example/callback", `<b onclick="x">Evil</b>`)
    const code = (await visitor.authorize(clientId, "user_mina")).searchParams.get("code") ?? ""
    const { access_token: token } = await jsonOf(await visitor.redeem(clientId, code))
    assert.strictEqual(await statusWith(server, String(token)), 200)
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    const text = await page(await signedIn(server, "user_mina"))
    assert.include(text, "tools/list")
    assert.include(text, "client.example")
    assert.notMatch(text, /<b onclick/u)
  })

  it("signs out", async () => {
    const server = accountServer()
    const browser = await signedIn(server, "user_mina")
    await browser.post("/account/sign-out", formTo(await page(browser), "/account/sign-out"))
    assert.notInclude(browser.cookies, "__Host-account")
  })

  it("forgets the sign-in with it: the address that it came back by opens the page no more", async () => {
    const server = accountServer()
    const browser = new Visitor(server.handler, origin)
    const back = { state: await begun(browser), code: "user_mina" }
    await browser.get("/callback", back)
    // Loaded again at once, it is answered again, as for a client.
    assert.strictEqual((await browser.get("/callback", back)).headers.get("location"), "/account")
    await browser.post("/account/sign-out", formTo(await page(browser), "/account/sign-out"))
    assert.strictEqual((await browser.get("/callback", back)).status, 400)
    assert.notInclude(browser.cookies, "__Host-account")
  })

  it("shows connections whose names cannot be read, so that they can be ended", async () => {
    const server = accountServer()
    await server.visitor.signIn("user_mina")
    const browser = await signedIn(server, "user_mina")
    assert.include(await page(browser), "Test client")
    server.kv.outage = true
    const text = await page(browser)
    assert.include(text, "An app without a name")
    assert.include(text, "End this connection")
  })

  it("is framed by nobody, kept nowhere, and read by no script of another site", async () => {
    const server = accountServer()
    const browser = await signedIn(server, "user_mina")
    const request = new Request(`${origin}/account`, {
      headers: { cookie: browser.cookies, origin: "https://evil.example" }
    })
    const { headers } = await server.handler(request)
    assert.include(headers.get("content-security-policy"), "frame-ancestors 'none'")
    assert.strictEqual(headers.get("cache-control"), "no-store")
    assert.isNull(headers.get("access-control-allow-origin"))
  })

  it("is limited by address", async () => {
    const { handler } = accountServer({ RATE_LIMIT_AUTHORIZE: { limit: async () => ({ success: false }) } })
    const browser = new Visitor(handler, origin)
    const form = new URLSearchParams()
    assert.strictEqual((await browser.get("/account")).status, 429)
    assert.strictEqual((await browser.get("/account/people/user_mina")).status, 429)
    for (const path of ["sign-in", "sign-out", "end", "people", "explain"]) {
      assert.strictEqual((await browser.post(`/account/${path}`, form)).status, 429, path)
    }
  })
})
