import { assert, describe, it } from "@effect/vitest"

import { testApp } from "../../support/TestApp.ts"
import { redirectUri } from "../../../src/server/testing/Visitor.ts"

const kinds = (keys: ReadonlyArray<string>) => [...new Set(keys.map((key) => key.split(":")[0]))]

/** What the library has stored, without what the server keeps beside it. */
const ofLibrary = (keys: ReadonlyArray<string>) => kinds(keys).filter((kind) => kind !== "answer")

/**
 * What the OAuth library asks of its store. `MemoryKv` refuses a method or an option that is not on its list, so a
 * release of the library that asks for more fails here, before it fails in an object that plays the store.
 */
describe("OAuthStorage, as the library uses it", () => {
  it("registers a client, which stays", async () => {
    const { kv, visitor } = testApp()
    const clientId = await visitor.register()
    assert.deepStrictEqual(kv.keys, [`client:${clientId}`])
    assert.deepStrictEqual(kinds(kv.calls.map(({ method }) => method)), ["put"])
  })

  it("keeps a consent page and a sign-in for 10 minutes, by hash, and uses each up", async () => {
    const { kv, visitor } = testApp()
    const clientId = await visitor.register()
    const back = await visitor.authorize(clientId, "user_ada")
    const transactions = kv.calls.filter(({ key }) => key.startsWith("transaction:"))
    assert.deepStrictEqual(
      transactions.map(({ method }) => method),
      ["put", "get", "delete", "put", "get", "delete"]
    )
    for (const { method, options } of transactions) {
      if (method === "put") assert.deepStrictEqual(options, ["expirationTtl"])
    }
    assert.isTrue(back.searchParams.has("code"))
    assert.deepStrictEqual(ofLibrary(kv.keys), ["client", "grant"])
  })

  it("keeps a grant under its user, for 10 minutes until its code is redeemed", async () => {
    const { kv, visitor } = testApp()
    const clientId = await visitor.register()
    const back = await visitor.authorize(clientId, "user_ada")
    const grant = kv.keys.find((key) => key.startsWith("grant:")) ?? ""
    assert.match(grant, /^grant:user_ada:[A-Za-z0-9_-]+$/u)
    assert.approximately(kv.secondsLeft(grant) ?? 0, 600, 5)

    const before = kv.calls.length
    await visitor.redeem(clientId, back.searchParams.get("code") ?? "")
    const calls = kv.calls.slice(before).map(({ method, key }) => `${method} ${key.split(":")[0]}`)
    assert.deepStrictEqual(calls, ["get client", "get grant", "put grant", "put token"])
    assert.approximately(kv.secondsLeft(grant) ?? 0, 30 * 24 * 3_600, 60)
    const token = kv.keys.find((key) => key.startsWith("token:")) ?? ""
    assert.isTrue(token.startsWith(grant.replace("grant:", "token:")))
    assert.approximately(kv.secondsLeft(token) ?? 0, 3_600, 5)
  })

  it("reads once for a call, and writes nothing", async () => {
    const { kv, handler, visitor } = testApp()
    const { access_token } = await visitor.signIn("user_ada")
    assert.strictEqual(access_token.split(":").length, 3)
    const before = kv.calls.length
    await handler(
      new Request("https://mcp.example.com/mcp", {
        headers: { authorization: `Bearer ${access_token}`, host: "mcp.example.com" }
      })
    )
    const calls = kv.calls.slice(before)
    assert.deepStrictEqual(
      calls.map(({ method, options }) => [method, options]),
      [["get", ["type"]]]
    )
  })

  it("rotates a refresh token in place", async () => {
    const { kv, visitor } = testApp()
    const { clientId, refresh_token } = await visitor.signIn("user_ada")
    const before = kv.calls.length
    const answer = await visitor.token({ grant_type: "refresh_token", client_id: clientId, refresh_token })
    assert.strictEqual(answer.status, 200)
    const calls = kv.calls.slice(before).map(({ method, key }) => `${method} ${key.split(":")[0]}`)
    assert.deepStrictEqual(calls, ["get client", "get grant", "put grant", "put token"])
    assert.strictEqual(kv.keys.filter((key) => key.startsWith("grant:")).length, 1)
  })

  it("leaves neither name, mail nor token in clear", async () => {
    const { kv, visitor } = testApp()
    const { access_token, refresh_token } = await visitor.signIn("user_ada")
    const stored = JSON.stringify(kv.dump())
    for (const secret of [
      "ada@example.com",
      "Marlowe",
      access_token,
      refresh_token,
      access_token.split(":")[2] ?? ""
    ]) {
      assert.notInclude(stored, secret)
    }
    assert.include(stored, redirectUri)
  })

  it("revokes a grant with its tokens", async () => {
    const { kv, visitor } = testApp()
    const { clientId, refresh_token } = await visitor.signIn("user_ada")
    const answer = await visitor.token({ token: refresh_token, client_id: clientId })
    assert.strictEqual(answer.status, 200)
    assert.deepStrictEqual(ofLibrary(kv.keys), ["client"])
  })

  it("answers an outage with a page that says so, or for a program, and tells nothing of it", async () => {
    const { kv, log, visitor } = testApp()
    const clientId = await visitor.register()
    kv.outage = true
    const page = await visitor.get("/authorize", { client_id: clientId, response_type: "code" })
    assert.strictEqual(page.status, 503)
    assert.notInclude(await page.text(), "internal detail")
    assert.notInclude(log.join("\n"), "internal detail")
  })
})
