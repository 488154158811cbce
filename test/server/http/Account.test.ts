import { assert, describe, it } from "@effect/vitest"

import { testServer } from "../../../src/server/testing/TestServer.ts"
import { authorizationRequest, formOf, jsonOf, locationOf, Visitor } from "../../../src/server/testing/Visitor.ts"
import fixture from "../fixture/worker.ts"

const origin = "https://mcp.example.com"

/** The fixture, whose admins are operators. */
const app = () => {
  const users = [
    { id: "user_ada", role: "admin", email: "ada@example.com" },
    { id: "user_mina", firstName: "Mina", email: "mina@example.com" },
    { id: "user_banned", banned: true }
  ]
  return testServer(fixture, { users, settings: { FIXTURE_COLOUR: "red" } })
}

type App = ReturnType<typeof app>

/** A browser that is signed in to the account page. */
const signedIn = async ({ handler }: App, userId: string) => {
  const browser = new Visitor(handler, origin)
  const state = locationOf(await browser.post("/account/sign-in", new URLSearchParams())).searchParams.get("state")
  const back = await browser.get("/callback", { state: state ?? "", code: userId })
  assert.strictEqual(back.headers.get("location"), "/account")
  return browser
}

/** The forms of a page, each with the address that it goes to. */
const formsOf = (text: string) =>
  [...text.matchAll(/<form method="post" action="([^"]+)">([\s\S]*?)<\/form>/gu)].map(([, action = "", body = ""]) => ({
    action,
    form: formOf(body)
  }))

const formTo = (text: string, action: string, wanted: (form: URLSearchParams) => boolean = () => true) => {
  const found = formsOf(text).find((each) => each.action === action && wanted(each.form))
  if (found === undefined) throw new Error(`no form to ${action}`)
  return found.form
}

const statusWith = async ({ handler }: App, token: string) => {
  const headers = { authorization: `Bearer ${token}`, host: "mcp.example.com", accept: "application/json" }
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} })
  const init = { method: "POST", headers: { ...headers, "content-type": "application/json" }, body }
  return (await handler(new Request(`${origin}/mcp`, init))).status
}

const page = async (browser: Visitor, path = "/account") => (await browser.get(path)).text()

describe("/account", () => {
  it("shows nothing of anybody to whoever is not signed in, and leads to the sign-in", async () => {
    const server = app()
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
    const server = app()
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
    const server = app()
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
    const server = app()
    const { access_token: token } = await server.visitor.signIn("user_mina")
    const [browser, other] = [await signedIn(server, "user_mina"), await signedIn(server, "user_mina")]
    const own = formTo(await page(browser), "/account/end", (form) => form.get("grant") === "all")
    const foreign = formTo(await page(other), "/account/end", (form) => form.get("grant") === "all")
    // Two sessions of one second are the same signature.
    const differs = foreign.get("token")?.split(".")[1] !== own.get("token")?.split(".")[1]
    const without = new URLSearchParams(own)
    without.delete("token")
    for (const [form, headers] of [
      [own, { origin: "https://evil.example" }],
      [own, { origin: "null" }],
      [without, {}],
      ...(differs ? ([[foreign, {}]] as const) : [])
    ] as const) {
      assert.strictEqual((await browser.post("/account/end", form, headers)).status, 403)
    }
    assert.strictEqual((await new Visitor(server.handler, origin).post("/account/end", own)).status, 403)
    assert.strictEqual(await statusWith(server, token), 200)
  })

  it("believes no cookie that it did not sign for this, and none that is too old", async () => {
    const server = app()
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
    const server = app()
    const browser = await signedIn(server, "user_mina")
    server.clerk.users.set("user_mina", { id: "user_mina", banned: true })
    server.wait(61)
    const response = await browser.get("/account")
    assert.strictEqual(response.status, 403)
    assert.notInclude(await response.text(), "End all")
  })

  it("shows what was decided, and a client's name as data", async () => {
    const server = app()
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
    const server = app()
    const browser = await signedIn(server, "user_mina")
    await browser.post("/account/sign-out", formTo(await page(browser), "/account/sign-out"))
    assert.notInclude(browser.cookies, "__Host-account")
  })
})

describe("an operator at /account", () => {
  it("finds somebody, sees the same, signs them out, and that is recorded for them", async () => {
    const server = app()
    const { access_token: token } = await server.visitor.signIn("user_mina")
    const browser = await signedIn(server, "user_ada")
    const search = formTo(await page(browser), "/account/people")
    search.set("who", "mina@example.com")
    const found = await browser.post("/account/people", search)
    assert.strictEqual(found.headers.get("location"), "/account/people/user_mina")
    const text = await page(browser, "/account/people/user_mina")
    assert.include(text, "mina@example.com")
    const asked = formTo(text, "/account/explain")
    asked.set("kind", "tool")
    asked.set("name", "paint")
    assert.include(await (await browser.post("/account/explain", asked)).text(), "user_mina may not use paint")
    await browser.post(
      "/account/end",
      formTo(text, "/account/end", (form) => form.get("grant") === "all")
    )
    assert.strictEqual(await statusWith(server, token), 401)
    const own = await page(await signedIn(server, "user_mina"))
    assert.include(own, "connection ended by an operator")
    const lines = server.log.filter((line) => line.includes("An operator"))
    assert.isTrue(lines.some((line) => line.includes("user_mina") && line.includes("user_ada")))
    assert.notInclude(server.log.join("\n"), "mina@example.com")
  })

  it("is nobody whom the policy does not name: for others there is nothing here", async () => {
    const server = app()
    const { access_token: token } = await server.visitor.signIn("user_ada")
    const browser = await signedIn(server, "user_mina")
    const text = await page(browser)
    assert.notInclude(text, "For operators")
    assert.strictEqual((await browser.get("/account/people/user_ada")).status, 404)
    const form = formTo(text, "/account/sign-out")
    form.set("user", "user_ada")
    form.set("grant", "all")
    form.set("who", "user_ada")
    form.set("kind", "tool")
    form.set("name", "paint")
    for (const path of ["/account/end", "/account/people", "/account/explain"]) {
      assert.strictEqual((await browser.post(path, form)).status, 404, path)
    }
    assert.strictEqual(await statusWith(server, token), 200)
  })
})
