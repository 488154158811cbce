import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { makeClientRules } from "../../../src/server/oauth/ClientRules.ts"
import { MemoryKv, type TestServer, testServer } from "../../../src/server/testing/index.ts"
import { authorizationRequest, jsonOf } from "../../../src/server/testing/Visitor.ts"
import { type Settings, testConfig } from "../../support/TestConfig.ts"
import fixture from "../fixture/worker.ts"

const rulesOf = (settings: Settings) => Effect.provide(makeClientRules, testConfig(settings))
const byHosts = (hosts: string) => ({ CLIENT_REGISTRATION: "hosts", CLIENT_HOSTS: hosts })

/** A server under these settings, on the store of another one if it is given. */
const serverWith = (settings: Settings, kv = new MemoryKv()) => ({
  ...testServer(fixture, { settings: { FIXTURE_COLOUR: "red", ...settings }, outside: kv.layer }),
  kv
})

const register = async ({ handler }: TestServer, ...redirectUris: ReadonlyArray<string>) => {
  const response = await handler(
    new Request("https://mcp.example.com/register", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: redirectUris, token_endpoint_auth_method: "none" })
    })
  )
  return { status: response.status, answer: await jsonOf(response) }
}

const authorize = async ({ visitor }: TestServer, clientId: string, redirect_uri: string) => {
  const page = await visitor.get("/authorize", { ...(await authorizationRequest(clientId)), redirect_uri })
  assert.isNull(page.headers.get("location"))
  return { status: page.status, html: await page.text() }
}

const metadata = async ({ visitor }: TestServer) => jsonOf(await visitor.get("/.well-known/oauth-authorization-server"))

const https = "https://client.example/callback"
const loopback = "http://127.0.0.1:4711/callback"
const cursor = "cursor://anysphere.cursor-mcp/oauth/callback"

describe("which clients may connect", () => {
  it.effect("is not limited unless a setting says so", () =>
    Effect.gen(function* () {
      for (const rules of [yield* rulesOf({}), yield* rulesOf({ CLIENT_REGISTRATION: "open" })]) {
        assert.isTrue(rules.registration)
        assert.isUndefined(rules.faultOf({ clientId: "abc", redirectUris: [https, loopback, cursor] }))
        assert.isUndefined(rules.faultOf({ clientId: "https://anybody.example/me", redirectUris: [https] }))
      }
    })
  )

  it.effect("can be decided by hosts: those of every redirect URI, and of a published client's document", () =>
    Effect.gen(function* () {
      const { faultOf } = yield* rulesOf(byHosts("client.example, apps.example"))
      assert.isUndefined(faultOf({ redirectUris: [https, "https://apps.example:8443/x"] }))
      assert.isUndefined(faultOf({ clientId: "https://apps.example/me.json", redirectUris: [https] }))
      for (const [clientId, redirectUri, named] of [
        ["abc", "https://evil.example/callback", "evil.example"],
        ["abc", "https://client.example.evil.example/", "client.example.evil.example"],
        ["abc", "https://sub.client.example/", "sub.client.example"],
        ["abc", loopback, "127.0.0.1"],
        ["abc", cursor, "cursor:"],
        ["https://evil.example/me.json", https, "evil.example"]
      ] as const) {
        assert.include(faultOf({ clientId, redirectUris: [https, redirectUri] }), named, redirectUri)
      }
    })
  )

  it.effect("counts loopback hosts where they are listed, all of them as localhost", () =>
    Effect.gen(function* () {
      const all = yield* rulesOf(byHosts("localhost"))
      for (const host of ["localhost:1", "127.0.0.1", "[::1]:33418"]) {
        assert.isUndefined(all.faultOf({ redirectUris: [`http://${host}/callback`] }), host)
      }
      const one = yield* rulesOf(byHosts("127.0.0.1"))
      assert.isUndefined(one.faultOf({ redirectUris: [loopback] }))
      assert.isDefined(one.faultOf({ redirectUris: ["http://localhost:1/callback"] }))
    })
  )
})

describe("a server for published clients only", () => {
  const published = { CLIENT_REGISTRATION: "published" }

  it("registers nobody, and says so to scripts of pages as well", async () => {
    const server = serverWith(published)
    const { status, answer } = await register(server, https)
    assert.deepStrictEqual([status, answer["error"]], [403, "access_denied"])
    assert.include(answer["error_description"], "client metadata document")
    const preflight = await server.handler(
      new Request("https://mcp.example.com/register", { method: "OPTIONS", headers: { origin: "https://web.example" } })
    )
    assert.strictEqual(preflight.status, 204)
    assert.strictEqual(preflight.headers.get("access-control-allow-origin"), "https://web.example")
    assert.strictEqual(preflight.headers.get("access-control-allow-headers"), "content-type")
    assert.deepEqual([...server.kv.keys], [])
  })

  it("advertises no registration", async () => {
    assert.notProperty(await metadata(serverWith(published)), "registration_endpoint")
    assert.property(await metadata(serverWith({})), "registration_endpoint")
  })

  it("shows a page to whoever opens it for a client that registered before", async () => {
    const before = serverWith({})
    const { answer } = await register(before, https)
    const clientId = String(answer["client_id"])
    assert.strictEqual((await authorize(before, clientId, https)).status, 200)
    const { status, html } = await authorize(serverWith(published, before.kv), clientId, https)
    assert.strictEqual(status, 403)
    assert.include(html, "This app cannot be connected here")
  })
})

describe("a server for clients on some hosts", () => {
  it("registers those, and refuses a client of which one redirect URI is elsewhere", async () => {
    const server = serverWith(byHosts("client.example,localhost"))
    assert.strictEqual((await register(server, https, loopback)).status, 201)
    for (const elsewhere of ["https://evil.example/callback", cursor]) {
      const { status, answer } = await register(server, https, elsewhere)
      assert.deepStrictEqual([status, answer["error"]], [400, "invalid_redirect_uri"])
      assert.include(answer["error_description"], elsewhere === cursor ? "cursor:" : "evil.example")
    }
  })

  it("authorizes no client that registered before with a redirect URI elsewhere, whichever it uses", async () => {
    const before = serverWith({})
    const { answer } = await register(before, https, "https://evil.example/callback")
    const clientId = String(answer["client_id"])
    const server = serverWith(byHosts("client.example"), before.kv)
    for (const used of [https, "https://evil.example/callback"]) {
      const { status, html } = await authorize(server, clientId, used)
      assert.strictEqual(status, 403, used)
      assert.include(html, "evil.example")
    }
    const fine = String((await register(server, https)).answer["client_id"])
    assert.strictEqual((await authorize(server, fine, https)).status, 200)
  })

  it("fetches nothing from the address of a client that is on another host", async () => {
    const server = serverWith(byHosts("client.example"))
    const { status, html } = await authorize(server, "https://evil.invalid/me.json", https)
    assert.strictEqual(status, 403)
    assert.include(html, "evil.invalid")
  })
})

describe("the token endpoint of a server for clients on some hosts", () => {
  const refresh = { grant_type: "refresh_token", refresh_token: "user_ada:a:b" }
  const elsewhere = "https://evil.invalid/me.json"
  const payload = btoa(JSON.stringify({ iss: elsewhere })).replace(/=+$/u, "")
  const assertion = {
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: `e30.${payload}.e30`
  }
  const basic = { authorization: `Basic ${btoa(`${encodeURIComponent(elsewhere)}:secret`)}` }
  const answerTo = async (
    form: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
    { handler } = serverWith(byHosts("listed.invalid"))
  ) => {
    const body = new URLSearchParams({ ...form })
    return jsonOf(await handler(new Request("https://mcp.example.com/token", { method: "POST", headers, body })))
  }

  it("fetches nothing from the address of a client on another host, however that says who it is", async () => {
    for (const asked of [
      refresh,
      { ...refresh, refresh_token: "garbage" },
      { grant_type: "authorization_code", code: "user_ada:a:b" },
      { token: "user_ada:a:b" }
    ]) {
      for (const answer of [
        await answerTo({ ...asked, client_id: elsewhere }),
        await answerTo({ ...asked, ...assertion }),
        await answerTo(asked, basic)
      ]) {
        assert.strictEqual(answer["error"], "unauthorized_client")
        assert.include(answer["error_description"], "evil.invalid")
      }
    }
  })

  it("looks for the document of a client on one of them, and of every client where hosts do not count", async () => {
    const listed = await answerTo({ ...refresh, client_id: "https://listed.invalid/me.json" })
    const anybody = await answerTo({ ...refresh, client_id: elsewhere }, {}, serverWith({}))
    assert.deepStrictEqual([listed["error"], anybody["error"]], ["invalid_client", "invalid_client"])
  })
})

describe("a server that refuses apps' own schemes", () => {
  const settings = { PRIVATE_USE_REDIRECTS: "refuse" }

  it("registers a client's other redirect URIs, and none where there are no others", async () => {
    const server = serverWith(settings)
    const { status, answer } = await register(server, cursor, loopback)
    assert.strictEqual(status, 201)
    assert.deepStrictEqual(answer["redirect_uris"], [loopback])
    const refused = await register(server, cursor, "com.example.app:/callback")
    assert.deepStrictEqual([refused.status, refused.answer["error"]], [400, "invalid_redirect_uri"])
    assert.include(refused.answer["error_description"], "an app's own scheme")
  })

  it("authorizes no client with one, and the same client with its other one", async () => {
    const before = serverWith({})
    const { answer } = await register(before, cursor, loopback)
    const clientId = String(answer["client_id"])
    assert.strictEqual((await authorize(before, clientId, cursor)).status, 200)
    const server = serverWith(settings, before.kv)
    assert.strictEqual((await authorize(server, clientId, cursor)).status, 403)
    assert.strictEqual((await authorize(server, clientId, loopback)).status, 200)
  })
})
