import { assert, describe, it } from "@effect/vitest"

import { ClerkUnavailable } from "../../../src/server/clerk/ClerkError.ts"
import { atApp, comeBack, outcome, sessionToken, throughApp } from "../../support/AtApp.ts"
import { connect } from "../../../src/server/testing/McpClient.ts"
import { testApp } from "../../support/TestApp.ts"
import { jsonOf, locationOf, type Tokens, Visitor } from "../../../src/server/testing/Visitor.ts"

/** A connection of Ada's, made through the app. */
const connected = async () => {
  const server = await atApp()
  const { clientId, handler, state, visitor } = server
  const back = locationOf(await comeBack(visitor, { state, session_token: sessionToken() }))
  const answer = await jsonOf(await visitor.redeem(clientId, back.searchParams.get("code") ?? ""))
  const { access_token, refresh_token } = answer as unknown as Tokens
  const headers = { authorization: `Bearer ${access_token}`, host: "mcp.example.com" }
  const call = async () => (await handler(new Request("https://mcp.example.com/mcp", { headers }))).status
  const client = new Visitor(handler)
  const refresh = async () => {
    const renewal = await client.token({ grant_type: "refresh_token", client_id: clientId, refresh_token })
    return [renewal.status, (await jsonOf(renewal))["error"]] as const
  }
  return { ...server, call, refresh }
}

describe("a connection that was made in a session", () => {
  it("is revoked by the first call after the session has ended", async () => {
    const { accounts, call, clerk, grants, refresh, wait } = await connected()
    assert.notStrictEqual(await call(), 401)
    clerk.sessions.clear()
    wait(61)
    assert.strictEqual(await grants(), 1)
    assert.strictEqual(await call(), 401)
    assert.strictEqual(await grants(), 0)
    assert.match(accounts.ended.join(), /^user_ada [^,]+$/u)
    assert.deepStrictEqual(await refresh(), [400, "invalid_grant"])
  })

  it("gets no further token once the session has ended", async () => {
    const { clerk, refresh, wait } = await connected()
    clerk.sessions.clear()
    wait(61)
    assert.deepStrictEqual(await refresh(), [400, "invalid_grant"])
  })

  it("waits while Clerk does not say for long whether the session is alive, and is there afterwards", async () => {
    const { call, clerk, grants, refresh, wait } = await connected()
    clerk.sessionOutage = new ClerkUnavailable({ operation: "sessions.getToken", status: 503 })
    wait(61)
    assert.notInclude([401, 503], await call())
    for (let seconds = 0; seconds < 301; seconds += 43) {
      wait(43)
      await call()
    }
    assert.strictEqual(await call(), 503)
    assert.deepStrictEqual(await refresh(), [503, "temporarily_unavailable"])
    assert.strictEqual(await grants(), 1)
    clerk.sessionOutage = undefined
    wait(6)
    assert.notInclude([401, 503], await call())
  })
})

describe("a sign-in with Clerk", () => {
  it("takes the session that was used last, where there is an app whose API tools call", async () => {
    for (const [settings, sessionId] of [
      [{ APP_URL: throughApp.APP_URL }, "sess_later"],
      [{}, undefined]
    ] as const) {
      const { clerk, handler, visitor } = testApp(settings)
      for (const id of ["sess_earlier", "sess_later"]) clerk.sessions.set(id, "user_ada")
      const client = await connect(handler, (await visitor.signIn("user_ada")).access_token)
      const { structuredContent } = await client.callTool({ name: "whoAmI", arguments: {} })
      assert.strictEqual((structuredContent as { readonly clerkSessionId?: string }).clerkSessionId, sessionId)
    }
  })

  it("grants nothing to an account that is closed, and tells the client why", async () => {
    const { accounts, clerk, visitor } = testApp()
    clerk.users.set("user_ada", { banned: true })
    const back = await visitor.authorize(await visitor.register(), "user_ada")
    assert.strictEqual(outcome(Response.redirect(back.href)), "access_denied")
    assert.isEmpty(await accounts.grants())
  })
})
