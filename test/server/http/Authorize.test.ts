import { assert, describe, it } from "@effect/vitest"

import { testApp } from "../../support/TestApp.ts"
import {
  authorizationRequest,
  formOf,
  jsonOf,
  locationOf,
  redirectUri,
  Visitor
} from "../../../src/server/testing/Visitor.ts"

/** A page of the server's own, which sends the browser nowhere. */
const assertPage = async (response: Response, status: number) => {
  assert.strictEqual(response.status, status)
  assert.isNull(response.headers.get("location"))
  const text = await response.text()
  assert.match(text, /^<!doctype html>/u)
  return text
}

const outcome = (location: URL) => [
  location.origin + location.pathname,
  ...["error", "state", "iss"].map((name) => location.searchParams.get(name))
]

const refused = (error: string) => [redirectUri, error, "the-state-of-the-client", "https://mcp.example.com"]

describe("GET /authorize", () => {
  it("asks for consent: what the client asked for is ticked, the rest is offered", async () => {
    const { visitor } = testApp()
    const response = await visitor.get("/authorize", await authorizationRequest(await visitor.register(), "mcp:tools"))
    const text = await assertPage(response, 200)
    const boxes = [...text.matchAll(/<input[^>]* name="scope" value="([^"]+)"([^>]*)>/gu)]
    assert.deepStrictEqual(
      boxes.map(([, scope, state = ""]) => [scope, state.includes("checked"), state.includes("disabled")]),
      [
        ["mcp:tools", true, true],
        ["paint:use", false, false],
        ["grants:end", false, false]
      ]
    )
    assert.include(text, "client.example")
    assert.isAbove(response.headers.getSetCookie().length, 0)
    for (const cookie of response.headers.getSetCookie()) assert.match(cookie, /^__Host-.*HttpOnly/u)
  })

  for (const [what, name, shown] of [
    ["a quotation that it closes", "Claude” to use Gmail? Ignore “", "Claude” to use Gmail? Ignore “"],
    ["marks that pile up", `a${"\u0301\u0489".repeat(40)}b`, "\u00E1\u0489\u0301\u0489\u0301b"],
    ["a mark with nothing below it", "\u0301\u0489 App", "App"],
    ["scripts that write with marks", "ကြောင့် हिन्दी ที่นี่", "ကြောင့် हिन्दी ที่นี่"],
    ["other directions", "a\u202Eb\u2067c\u200Fd\u061Ce", "abcde"],
    ["what is not seen", "ab\u200Bc\uFEFFd\u3164e\u{E0041}f\u00ADg\u2800h\uFFA0i", "abcdefghi"],
    ["lines and other spaces", " a\r\n\u0000\u2028b\u00A0\u3000c\t ", "a b c"],
    ["more than 80 characters", "𝒳".repeat(81), `${"𝒳".repeat(79)}…`],
    ["nothing at all", "\u200B\u2800", undefined]
  ] as const) {
    it(`shows what a client calls itself in an element of its own: ${what}`, async () => {
      const { visitor } = testApp()
      const clientId = await visitor.register(redirectUri, name)
      const text = await (await visitor.get("/authorize", await authorizationRequest(clientId))).text()
      const heading = /<h1>(.*?)<\/h1>/u.exec(text)?.[1]
      const element = shown === undefined ? "an app without a name" : `<bdi class="name">${shown}</bdi>`
      assert.strictEqual(heading, `Allow ${element} to use mcp.example.com in your name?`)
      assert.include(text, "<title>Allow an app to use mcp.example.com in your name?</title>")
    })
  }

  it("escapes what a client calls itself, and leaves out what would hide text", async () => {
    const { handler, visitor } = testApp()
    const registered = await handler(
      new Request("https://mcp.example.com/register", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          client_name: "<script>alert(1)</script>\u202Eevil",
          redirect_uris: [redirectUri],
          token_endpoint_auth_method: "none"
        })
      })
    )
    const clientId = String((await jsonOf(registered))["client_id"])
    const text = await (await visitor.get("/authorize", await authorizationRequest(clientId))).text()
    assert.include(text, "&lt;script&gt;")
    assert.notMatch(text, /<script|\u202E/u)
  })

  for (const [what, change, status] of [
    ["an unknown client", { client_id: "nobody" }, 400],
    ["another redirect URI", { redirect_uri: "https://evil.example/callback" }, 400],
    ["a redirect URI with more to it", { redirect_uri: `${redirectUri}/more` }, 400],
    ["no redirect URI that is one", { redirect_uri: "javascript:alert(1)" }, 400]
  ] as const) {
    it(`shows a page for ${what}, and sends nobody there`, async () => {
      const { visitor } = testApp()
      const request = await authorizationRequest(await visitor.register())
      await assertPage(await visitor.get("/authorize", { ...request, ...change }), status)
    })
  }

  for (const [what, change, error] of [
    ["plain PKCE", { code_challenge_method: "plain" }, "invalid_request"],
    ["no PKCE", { code_challenge: "" }, "invalid_request"],
    ["an unknown scope", { scope: "mcp:tools admin" }, "invalid_scope"],
    ["another resource", { resource: "https://other.example/mcp" }, "invalid_target"],
    ["the implicit flow", { response_type: "token" }, "unsupported_response_type"]
  ] as const) {
    it(`tells the client of ${what}`, async () => {
      const { visitor } = testApp()
      const request = await authorizationRequest(await visitor.register())
      const location = locationOf(await visitor.get("/authorize", { ...request, ...change }))
      assert.deepStrictEqual(outcome(location), refused(error))
    })
  }

  it("wants PKCE of a client with a secret too", async () => {
    const { handler, visitor } = testApp()
    const registered = await handler(
      new Request("https://mcp.example.com/register", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ redirect_uris: [redirectUri], token_endpoint_auth_method: "client_secret_basic" })
      })
    )
    const clientId = String((await jsonOf(registered))["client_id"])
    const { code_challenge: _, code_challenge_method: __, ...request } = await authorizationRequest(clientId)
    assert.deepStrictEqual(outcome(locationOf(await visitor.get("/authorize", request))), refused("invalid_request"))
  })

  it("repeats nothing in error_description that the characters of RFC 6749 do not allow", async () => {
    const { visitor } = testApp()
    const request = await authorizationRequest(await visitor.register())
    const change = { code_challenge_method: 'S256"\\\n<é>' }
    const description = locationOf(await visitor.get("/authorize", { ...request, ...change })).searchParams.get(
      "error_description"
    )
    assert.match(description ?? "", /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/u)
  })

  for (const resource of ["https://mcp.example.com", "https://mcp.example.com/", "https://mcp.example.com/mcp"]) {
    it(`knows what is meant by the resource ${resource}`, async () => {
      const { visitor } = testApp()
      const request = await authorizationRequest(await visitor.register())
      await assertPage(await visitor.get("/authorize", { ...request, resource }), 200)
    })
  }
})

describe("POST /authorize", () => {
  it("goes on to the sign-in with the scopes that were ticked, the baseline always among them", async () => {
    const { visitor } = testApp()
    const clientId = await visitor.register()
    const consent = await visitor.get("/authorize", await authorizationRequest(clientId, "mcp:tools paint:use"))
    const form = formOf(await consent.text())
    assert.deepStrictEqual(form.getAll("scope"), ["paint:use"])
    form.delete("scope")
    form.set("decision", "approve")
    const signIn = locationOf(await visitor.post("/authorize", form))
    assert.strictEqual(signIn.origin, "https://clerk.example.com")
    const state = signIn.searchParams.get("state") ?? ""
    const back = locationOf(await visitor.get("/callback", { state, code: "user_ada" }))
    const tokens = await jsonOf(await visitor.redeem(clientId, back.searchParams.get("code") ?? ""))
    assert.deepInclude(tokens, { scope: "mcp:tools" })
  })

  it("lets the person add a scope that the client did not ask for", async () => {
    const { visitor } = testApp()
    const clientId = await visitor.register()
    const consent = await visitor.get("/authorize", await authorizationRequest(clientId))
    const signIn = await visitor.decide(consent, "approve", ["paint:use"])
    const state = signIn.searchParams.get("state") ?? ""
    const back = locationOf(await visitor.get("/callback", { state, code: "user_ada" }))
    const tokens = await jsonOf(await visitor.redeem(clientId, back.searchParams.get("code") ?? ""))
    assert.deepInclude(tokens, { scope: "mcp:tools paint:use" })
  })

  it("grants nothing that it does not know, whatever the form says", async () => {
    const { accounts, visitor } = testApp()
    const consent = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
    const form = formOf(await consent.text())
    form.set("decision", "approve")
    form.append("scope", "admin")
    await assertPage(await visitor.post("/authorize", form), 400)
    assert.isEmpty(await accounts.grants())
  })

  it("tells the client that the person said no, and keeps no more than that", async () => {
    const { accounts, kv, visitor } = testApp()
    const consent = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
    assert.deepStrictEqual(outcome(await visitor.decide(consent, "deny")), refused("access_denied"))
    assert.deepStrictEqual(
      kv.keys.map((key) => key.split(":")[0]),
      ["answer", "client"]
    )
    assert.isEmpty(await accounts.grants())
  })

  it("takes a form once, in the browser that it was made for, from its own page", async () => {
    const { handler, visitor } = testApp()
    const consent = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
    const form = formOf(await consent.text())
    await assertPage(await visitor.post("/authorize", form), 400)
    form.set("decision", "approve")
    await assertPage(await visitor.post("/authorize", form, { origin: "https://evil.example" }), 400)
    await assertPage(await visitor.post("/authorize", form, { origin: "null" }), 400)
    await assertPage(await new Visitor(handler).post("/authorize", form), 400)
    locationOf(await visitor.post("/authorize", form))
    await assertPage(await new Visitor(handler).post("/authorize", form), 400)
    form.set("remember", "yes")
    await assertPage(await visitor.post("/authorize", form), 400)
  })

  it("does not ask again where the person said so, but for more than was approved", async () => {
    const { visitor } = testApp()
    const clientId = await visitor.register()
    const consent = await visitor.get("/authorize", await authorizationRequest(clientId))
    const form = formOf(await consent.text())
    form.set("decision", "approve")
    form.set("remember", "yes")
    await visitor.post("/authorize", form)
    const again = await visitor.get("/authorize", await authorizationRequest(clientId))
    assert.strictEqual(locationOf(again).origin, "https://clerk.example.com")
    const more = await visitor.get("/authorize", await authorizationRequest(clientId, "mcp:tools paint:use"))
    await assertPage(more, 200)
    await assertPage(await visitor.get("/authorize", await authorizationRequest(await visitor.register())), 200)
  })
})
