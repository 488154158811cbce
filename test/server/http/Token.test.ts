import { assert, describe, it } from "@effect/vitest"

import { testApp } from "../../support/TestApp.ts"
import { jsonOf, redirectUri } from "../../../src/server/testing/Visitor.ts"

const post = (body: BodyInit, contentType: string) =>
  new Request("https://mcp.example.com/token", { method: "POST", headers: { "content-type": contentType }, body })

describe("/token", () => {
  it("takes forms only, of at most 64 KiB", async () => {
    const { handler, kv } = testApp()
    const form = "application/x-www-form-urlencoded"
    for (const [request, status] of [
      [post("{}", "application/json"), 415],
      [post(new Uint8Array(1), ""), 415],
      [post(`a=${"x".repeat(64 * 1024)}`, form), 413]
    ] as const) {
      const response = await handler(request)
      assert.strictEqual(response.status, status)
      assert.deepInclude(await jsonOf(response), { error: "invalid_request" })
    }
    assert.deepStrictEqual(kv.calls, [])
    assert.notStrictEqual((await handler(post("a=b", `${form}; charset=utf-8`))).status, 415)
  })

  it("redeems a code once, with its verifier", async () => {
    const { visitor } = testApp()
    const clientId = await visitor.register()
    const back = await visitor.authorize(clientId, "user_ada")
    const code = back.searchParams.get("code") ?? ""
    const wrong = await visitor.token({
      grant_type: "authorization_code",
      client_id: clientId,
      code,
      redirect_uri: "https://client.example/callback",
      code_verifier: "another-verifier-that-is-long-enough-for-rfc-7636-too"
    })
    assert.deepInclude(await jsonOf(wrong), { error: "invalid_grant" })
    const other = await visitor.authorize(clientId, "user_ada")
    const again = other.searchParams.get("code") ?? ""
    assert.strictEqual((await visitor.redeem(clientId, again)).status, 200)
    assert.deepInclude(await jsonOf(await visitor.redeem(clientId, again)), { error: "invalid_grant" })
  })

  it("knows what is meant by the origin for a resource, and refuses another resource", async () => {
    const { visitor } = testApp()
    const { clientId, refresh_token } = await visitor.signIn("user_ada")
    const refresh = (resource: string, token: string) =>
      visitor.token({ grant_type: "refresh_token", client_id: clientId, refresh_token: token, resource })
    const refreshed = await refresh("https://mcp.example.com/", refresh_token)
    assert.strictEqual(refreshed.status, 200)
    const next = String((await jsonOf(refreshed))["refresh_token"])
    const foreign = await refresh("https://mcp.example.com/sse", next)
    assert.deepInclude(await jsonOf(foreign), { error: "invalid_target" })
  })

  it("lets a client with HTTP Basic name itself in the form, and nobody else, nor a second secret", async () => {
    const { handler, visitor } = testApp()
    const body = JSON.stringify({ redirect_uris: [redirectUri] })
    const headers = { "content-type": "application/json" }
    const register = new Request("https://mcp.example.com/register", { method: "POST", headers, body })
    const client = await jsonOf(await handler(register))
    assert.strictEqual(client["token_endpoint_auth_method"], "client_secret_basic")
    const [id, secret] = [String(client["client_id"]), String(client["client_secret"])]
    const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`
    const send = async (authorization: string, fields: ReadonlyArray<readonly [string, string]>) => {
      const form = new URLSearchParams([
        ["grant_type", "refresh_token"],
        ["refresh_token", "a:b:c"],
        ...fields.map((field) => [...field])
      ])
      const request = new Request("https://mcp.example.com/token", {
        method: "POST",
        headers: { authorization },
        body: form
      })
      return String((await jsonOf(await handler(request)))["error"])
    }
    // The token is unknown: whoever learns that was let in.
    const good = basic(id, secret)
    assert.strictEqual(await send(good, []), "invalid_grant")
    assert.strictEqual(await send(good, [["client_id", id]]), "invalid_grant")
    assert.strictEqual(await send(good.replace("Basic", "basic"), [["client_id", id]]), "invalid_grant")
    const escaped = `%${id.charCodeAt(0).toString(16)}${id.slice(1)}`
    assert.strictEqual(await send(basic(escaped, secret), [["client_id", id]]), "invalid_grant")

    const other = await visitor.register()
    assert.strictEqual(await send(good, [["client_id", other]]), "invalid_request")
    assert.strictEqual(await send(basic(other, secret), [["client_id", id]]), "invalid_request")
    assert.strictEqual(
      await send(good, [
        ["client_id", id],
        ["client_id", id]
      ]),
      "invalid_request"
    )
    assert.strictEqual(
      await send(good, [
        ["client_id", id],
        ["client_secret", secret]
      ]),
      "invalid_request"
    )
    assert.strictEqual(
      await send(good, [
        ["client_id", id],
        ["client_secret", "another"]
      ]),
      "invalid_request"
    )
    assert.strictEqual(
      await send(good, [
        ["client_id", id],
        ["client_assertion", "a.b.c"]
      ]),
      "invalid_request"
    )
    assert.strictEqual(await send(basic(id, "another"), [["client_id", id]]), "invalid_client")
    assert.strictEqual(await send("Basic %%%", [["client_id", id]]), "invalid_request")
  })

  it("answers clients that call from a browser, and leaves GET to nobody", async () => {
    const { handler } = testApp()
    const preflight = await handler(
      new Request("https://mcp.example.com/token", {
        method: "OPTIONS",
        headers: { origin: "https://claude.ai", "access-control-request-method": "POST" }
      })
    )
    assert.isBelow(preflight.status, 300)
    assert.isNotNull(preflight.headers.get("access-control-allow-origin"))
    assert.isAtLeast((await handler(new Request("https://mcp.example.com/token"))).status, 400)
  })

  it("tells the log of at most 60 refused requests a minute, and how many it left out", async () => {
    const { handler, log, wait } = testApp()
    const refused = async (count: number) => {
      for (let times = 0; times < count; times++) {
        await handler(post("grant_type=x&client_id=nobody", "application/x-www-form-urlencoded"))
      }
      return log.filter((line) => line.includes("OAuth request refused"))
    }
    assert.lengthOf(await refused(100), 60)
    wait(60)
    const lines = await refused(1)
    assert.lengthOf(lines, 61)
    assert.include(lines[60], '"omitted":40')
  })
})
