import { assert, describe, it } from "@effect/vitest"

import { places } from "../support/workerd/Places.ts"

const get = async (address: string, init?: RequestInit) => {
  const response = await fetch(address, init)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

describe("the deployed bundle in workerd", () => {
  it("starts, and says that it is healthy", async () => {
    const { status, text } = await get(`${places.app}/health`)
    assert.strictEqual(status, 200)
    assert.deepStrictEqual(JSON.parse(text), { status: "ok", version: "1.2.3" })
  })

  it("shows a person who opens its address where to point a client", async () => {
    const { status, text, headers } = await get(`${places.app}/`)
    assert.strictEqual(status, 200)
    assert.match(headers.get("content-type") ?? "", /^text\/html/u)
    assert.include(text, `${places.app}/mcp`)
  })

  it("answers what it does not know with a page", async () => {
    const { status, text } = await get(`${places.app}/no/such/page`)
    assert.strictEqual(status, 404)
    assert.include(text, "There is nothing here")
  })

  it("publishes the metadata of its resources (RFC 9728) and of its authorization server (RFC 8414)", async () => {
    for (const [path, resource] of [
      ["/.well-known/oauth-protected-resource", "/mcp"],
      ["/.well-known/oauth-protected-resource/mcp", "/mcp"],
      ["/.well-known/oauth-protected-resource/sse", "/sse"]
    ]) {
      const { status, text } = await get(`${places.app}${path}`)
      assert.strictEqual(status, 200, path)
      assert.deepInclude(JSON.parse(text), {
        resource: `${places.app}${resource}`,
        authorization_servers: [places.app],
        scopes_supported: ["mcp:tools"]
      })
    }
    const { text } = await get(`${places.app}/.well-known/oauth-authorization-server`)
    assert.deepInclude(JSON.parse(text), {
      issuer: places.app,
      code_challenge_methods_supported: ["S256"],
      client_id_metadata_document_supported: true,
      authorization_response_iss_parameter_supported: true
    })
  })

  it("asks a client without a token for one", async () => {
    const { status, headers } = await get(`${places.app}/mcp`)
    assert.strictEqual(status, 401)
    assert.include(
      headers.get("www-authenticate") ?? "",
      `resource_metadata="${places.app}/.well-known/oauth-protected-resource/mcp"`
    )
  })
})

describe("the deployed bundle without settings", () => {
  const settings = [
    "PUBLIC_URL",
    "SIGN_IN",
    "CLERK_FRONTEND_API",
    "CLERK_CLIENT_ID",
    "CLERK_CLIENT_SECRET",
    "CLERK_SECRET_KEY",
    "STATE_SIGNING_KEYS",
    "FIXTURE_COLOUR",
    "OAUTH_KV"
  ]

  for (const [method, path] of [
    ["GET", "/"],
    ["GET", "/health"],
    ["POST", "/mcp"],
    ["POST", "/token"],
    ["GET", "/.well-known/oauth-authorization-server"]
  ] as const) {
    it(`names every one of them, and serves nothing else, at ${method} ${path}`, async () => {
      const { status, text } = await get(`${places.notSetUp}${path}`, { method })
      assert.strictEqual(status, 500)
      for (const name of settings) assert.include(text, `<code>${name}</code> is missing`)
    })
  }
})
