import { assert, describe, it } from "@effect/vitest"

import { appOrigin, assertPage, atApp, comeBack, goToApp, outcome, sessionToken } from "../../support/AtApp.ts"
import { testApp } from "../../support/TestApp.ts"
import { authorizationRequest, locationOf } from "../../../src/server/testing/Visitor.ts"

const token = sessionToken()

describe("POST /callback", () => {
  for (const origin of [
    undefined,
    "null",
    "https://evil.example",
    "https://mcp.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com/",
    "https://app.example.com.evil.example"
  ]) {
    it(`is refused from the origin ${origin}, and leaves the sign-in as it was`, async () => {
      const { grants, kv, state, visitor } = await atApp()
      const before = kv.calls.length
      await assertPage(await visitor.handOver({ state, session_token: token }, origin), "not sent by app.example.com")
      await assertPage(await visitor.handOver({ state, error: "access_denied" }, origin), "not sent by app.example.com")
      assert.strictEqual(kv.calls.length, before)
      assert.strictEqual(await grants(), 0)
      assert.strictEqual(outcome(await comeBack(visitor, { state, session_token: token })), "a code")
    })
  }

  it("refuses a state that this server did not sign for it, without asking the store", async () => {
    const { kv, state, visitor } = await atApp()
    const clerk = testApp()
    const consent = await clerk.visitor.get("/authorize", await authorizationRequest(await clerk.visitor.register()))
    const ofClerk = (await clerk.visitor.decide(consent, "approve")).searchParams.get("state") ?? ""
    const before = kv.calls.length
    for (const forged of ["", "x", `${state}x`, `x${state.slice(1)}`, ofClerk, `${state}\r\nset-cookie: a=b`]) {
      for (const proof of [{ session_token: token }, { error: "access_denied" }]) {
        await assertPage(await visitor.handOver({ state: forged, ...proof }, appOrigin), "not started here")
      }
      await assertPage(await visitor.get("/callback", { state: forged }), "not started here")
    }
    await assertPage(await visitor.handOver({ session_token: token }, appOrigin), "not started here")
    assert.strictEqual(kv.calls.length, before)
  })

  it("takes no state of it to where Clerk's own sign-in ends", async () => {
    const { state } = await atApp()
    await assertPage(await testApp().visitor.get("/callback", { state, code: "user_ada" }), "not started here")
  })

  it("refuses a state after 10 minutes, without asking the store", async () => {
    const { kv, state, visitor, wait } = await atApp()
    const handed = await visitor.handOver({ state, session_token: token }, appOrigin)
    const before = kv.calls.length
    wait(601)
    await assertPage(await visitor.handOver({ state, session_token: token }, appOrigin), "took too long")
    await assertPage(await visitor.get(locationOf(handed)), "took too long")
    assert.strictEqual(kv.calls.length, before)
  })

  for (const [what, proof] of [
    ["no token", {}],
    ["an empty one", { session_token: "" }],
    ["what is none", { session_token: "not-a-token" }],
    ["one of five parts", { session_token: "a.b.c.d.e" }],
    ["one with an empty part", { session_token: "a..c" }],
    ["one that no cookie holds", { session_token: `${token}${"x".repeat(4_001 - token.length)}` }],
    ["one with a line break", { session_token: `${token}\r\nset-cookie: a=b` }],
    ["one with a line break at its end", { session_token: `${token}\n` }],
    ["one with a semicolon", { session_token: `${token}; Domain=example.com` }],
    ["one with a comma", { session_token: `${token},a.b.c` }],
    ["one with a letter beyond ASCII", { session_token: `${token}é` }]
  ] as const) {
    it(`hands nothing on for ${what}, and leaves the sign-in as it was`, async () => {
      const { grants, state, visitor } = await atApp()
      await assertPage(await visitor.handOver({ state, ...proof }, appOrigin), "sent no session token")
      assert.strictEqual(await grants(), 0)
      assert.strictEqual(outcome(await comeBack(visitor, { state, session_token: token })), "a code")
    })
  }

  it("hands on what a cookie holds", async () => {
    const { state, visitor } = await atApp()
    const longest = `${token}${"x".repeat(4_000 - token.length)}`
    const handed = await visitor.handOver({ state, session_token: longest }, appOrigin)
    assert.include(handed.headers.getSetCookie()[0], `=${longest};`)
  })

  it("reads forms only, of 64 KiB at most", async () => {
    const { handler, state } = await atApp()
    const post = (type: string, body: string) =>
      handler(
        new Request("https://mcp.example.com/callback", {
          method: "POST",
          headers: { "content-type": type, origin: appOrigin },
          body
        })
      )
    await assertPage(await post("application/json", JSON.stringify({ state, session_token: token })), "form", 415)
    await assertPage(await post("text/plain", `state=${state}&session_token=${token}`), "form", 415)
    const long = `state=${state}&session_token=${token}&more=${"x".repeat(65_536)}`
    await assertPage(await post("application/x-www-form-urlencoded", long), "form", 413)
  })
})

describe("GET /callback", () => {
  it("refuses a token in the address, and leaves the sign-in as it was", async () => {
    const { grants, state, visitor } = await atApp()
    await assertPage(await visitor.get("/callback", { state, session_token: token }), "never in an address")
    const handed = locationOf(await visitor.handOver({ state, session_token: token }, appOrigin))
    await assertPage(await visitor.get(handed, { session_token: "" }), "never in an address")
    assert.strictEqual(await grants(), 0)
    assert.strictEqual(outcome(await visitor.get(handed)), "a code")
  })

  it("takes a state once", async () => {
    const { grants, state, visitor } = await atApp()
    const back = locationOf(await comeBack(visitor, { state, session_token: token }))
    assert.strictEqual(locationOf(await comeBack(visitor, { state, session_token: token })).href, back.href)
    assert.notInclude(visitor.cookies, "app-proof")
    await assertPage(await comeBack(visitor, { state, error: "access_denied" }), "cannot be continued")
    assert.strictEqual(await grants(), 1)
  })

  it("refuses whoever was sent somebody else's state, with their own good token and a sign-in of their own", async () => {
    const { clerk, clientId, grants, state, stranger, visitor } = await atApp()
    clerk.sessions.set("sess_mina", "user_mina")
    const victim = stranger()
    const own = { session_token: sessionToken({ sub: "user_mina", sid: "sess_mina" }) }
    await assertPage(await comeBack(victim, { state, ...own }), "cannot be continued")
    await goToApp(victim, clientId)
    await assertPage(await comeBack(victim, { state, ...own }), "cannot be continued")
    assert.strictEqual(await grants(), 0)
    assert.strictEqual(outcome(await comeBack(visitor, { state, session_token: token })), "a code")
  })

  it("serves no other sign-in with the proof of one", async () => {
    const { clientId, grants, state, visitor } = await atApp()
    const other = await goToApp(visitor, clientId)
    const handed = locationOf(await visitor.handOver({ state, session_token: token }, appOrigin))
    assert.strictEqual(outcome(await visitor.get("/callback", { state: other })), "invalid_request")
    assert.strictEqual(await grants(), 0)
    assert.strictEqual(outcome(await visitor.get(handed)), "a code")
  })

  it("tells the client that the proof did not arrive, whatever else the address claims", async () => {
    const { grants, state, visitor } = await atApp()
    const back = await visitor.get("/callback", { state, code: "user_ada", token })
    assert.strictEqual(outcome(back), "invalid_request")
    assert.strictEqual(await grants(), 0)
  })

  it("trusts no cookie that is no token", async () => {
    const { grants, handler, state, visitor } = await atApp()
    const forged = `${visitor.cookies}; __Host-app-proof-${state.slice(-16)}=%7B%22sub%22%3A1%7D`
    const address = `https://mcp.example.com/callback?state=${state}`
    const back = await handler(new Request(address, { headers: { cookie: forged } }))
    assert.strictEqual(outcome(back), "server_error")
    assert.strictEqual(await grants(), 0)
  })
})
