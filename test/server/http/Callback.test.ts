import { assert, describe, it } from "@effect/vitest"

import { testApp } from "../../support/TestApp.ts"
import { authorizationRequest, locationOf, redirectUri, Visitor } from "../../../src/server/testing/Visitor.ts"

/** A browser that has consented and is now at Clerk. */
const atClerk = async () => {
  const app = testApp()
  const clientId = await app.visitor.register()
  const consent = await app.visitor.get("/authorize", await authorizationRequest(clientId))
  const signIn = await app.visitor.decide(consent, "approve")
  return { ...app, clientId, state: signIn.searchParams.get("state") ?? "" }
}

const assertPage = async (response: Response, text: string) => {
  assert.strictEqual(response.status, 400)
  assert.isNull(response.headers.get("location"))
  assert.include(await response.text(), text)
}

describe("GET /callback", () => {
  it("hands the client its code, with state and iss", async () => {
    const { visitor, state } = await atClerk()
    const location = locationOf(await visitor.get("/callback", { state, code: "user_ada" }))
    assert.strictEqual(location.origin + location.pathname, redirectUri)
    const { code, ...others } = Object.fromEntries(location.searchParams)
    assert.deepStrictEqual(others, { state: "the-state-of-the-client", iss: "https://mcp.example.com" })
    assert.isAbove(code?.length ?? 0, 30)
  })

  it("refuses a state that it did not sign, without asking the store", async () => {
    const { kv, visitor, state } = await atClerk()
    const before = kv.calls.length
    for (const forged of ["", "x", `${state}x`, `x${state.slice(1)}`]) {
      await assertPage(await visitor.get("/callback", { state: forged, code: "user_ada" }), "not started here")
    }
    assert.strictEqual(kv.calls.length, before)
  })

  it("refuses a state after 10 minutes, without asking the store", async () => {
    const { kv, visitor, state, wait } = await atClerk()
    const before = kv.calls.length
    wait(601)
    await assertPage(await visitor.get("/callback", { state, code: "user_ada" }), "took too long")
    assert.strictEqual(kv.calls.length, before)
  })

  it("takes a state once", async () => {
    const { visitor, state } = await atClerk()
    locationOf(await visitor.get("/callback", { state, code: "user_ada" }))
    await assertPage(await visitor.get("/callback", { state, code: "user_mina" }), "cannot be continued")
  })

  it("refuses another browser, even one with a sign-in of its own under way", async () => {
    const { accounts, handler, state, clientId } = await atClerk()
    const stranger = new Visitor(handler)
    await assertPage(await stranger.get("/callback", { state, code: "user_mina" }), "cannot be continued")
    const consent = await stranger.get("/authorize", await authorizationRequest(clientId))
    await stranger.decide(consent, "approve")
    await assertPage(await stranger.get("/callback", { state, code: "user_mina" }), "cannot be continued")
    assert.isEmpty(await accounts.grants())
  })

  for (const [what, query, error] of [
    ["that the person gave up", { error: "access_denied" }, "access_denied"],
    ["that Clerk failed", { error: "server_error", error_description: "<b>" }, "server_error"],
    ["that there is no code", {}, "invalid_request"],
    ["that Clerk does not honour the code", { code: "user_unknown" }, "server_error"]
  ] as const) {
    it(`tells the client ${what}, and grants nothing`, async () => {
      const { accounts, visitor, state } = await atClerk()
      const location = locationOf(await visitor.get("/callback", { state, ...query }))
      assert.strictEqual(location.origin + location.pathname, redirectUri)
      const { error: told, state: ours, iss } = Object.fromEntries(location.searchParams)
      assert.deepStrictEqual([told, ours, iss], [error, "the-state-of-the-client", "https://mcp.example.com"])
      assert.isEmpty(await accounts.grants())
    })
  }
})
