import { assert, describe, it } from "@effect/vitest"

import { testApp } from "../../support/TestApp.ts"
import { authorizationRequest, jsonOf } from "../../../src/server/testing/Visitor.ts"

const register = (body: string, contentType = "application/json") => {
  const { handler } = testApp()
  return handler(
    new Request("https://mcp.example.com/register", {
      method: "POST",
      headers: { "content-type": contentType },
      body
    })
  )
}

/** What the server answers to a registration of these redirect URIs, and what it does with each in a request. */
const registration = async (redirectUris: ReadonlyArray<string>) => {
  const { visitor, handler } = testApp()
  const response = await handler(
    new Request("https://mcp.example.com/register", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: redirectUris, token_endpoint_auth_method: "none" })
    })
  )
  const answer = await jsonOf(response)
  const taken: Array<string> = []
  for (const redirect_uri of redirectUris) {
    const request = { ...(await authorizationRequest(String(answer["client_id"]))), redirect_uri }
    const page = await visitor.get("/authorize", request)
    if (page.status === 200) taken.push(redirect_uri)
    else assert.deepStrictEqual([page.status, page.headers.get("location")], [400, null])
  }
  return { status: response.status, answer, taken }
}

const redirectUris = {
  taken: [
    "https://client.example/callback",
    "http://localhost:8787/callback",
    "http://127.0.0.1:1/",
    "http://127.9.9.9/",
    "http://[::1]:33418/callback",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "com.example.app:/callback"
  ],
  refused: [
    "http://client.example/callback",
    "http://localhost.client.example/",
    "https://client.example/callback#",
    "https://ada@client.example/callback",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ms-msdt:/id",
    "intent://client.example/callback",
    "view-source:https://client.example/",
    "localhost:8080/callback",
    "/callback"
  ]
}

const metadata = (count: number) =>
  JSON.stringify({
    client_name: "Test",
    redirect_uris: Array.from({ length: count }, (_, index) => `https://client.example/${index}`),
    token_endpoint_auth_method: "none"
  })

describe("/register", () => {
  it("registers a client with up to 20 redirect URIs", async () => {
    assert.strictEqual((await register(metadata(20))).status, 201)
  })

  it("registers, of several redirect URIs, exactly those that /authorize takes", async () => {
    const all = [...redirectUris.refused, ...redirectUris.taken]
    const { status, answer, taken } = await registration(all)
    assert.strictEqual(status, 201)
    assert.deepStrictEqual(answer["redirect_uris"], redirectUris.taken)
    assert.deepStrictEqual(taken, redirectUris.taken)
  })

  it("says so where none of the redirect URIs can be taken", async () => {
    const { status, answer } = await registration(["http://client.example/callback", "javascript:alert(1)"])
    assert.deepStrictEqual([status, answer["error"]], [400, "invalid_redirect_uri"])
  })

  for (const [what, body, contentType, status] of [
    ["more than 20 redirect URIs", metadata(21), "application/json", 400],
    ["more than 16 KiB", JSON.stringify({ client_name: "x".repeat(17_000) }), "application/json", 413],
    ["what any page can post without asking", metadata(1), "text/plain", 415],
    ["what is no JSON", "redirect_uris=1", "application/json", 400],
    ["what is no object", "[]", "application/json", 400],
    ["deep nesting", `{"x":${"[".repeat(2_000)}${"]".repeat(2_000)}}`, "application/json", 400]
  ] as const) {
    it(`refuses ${what}`, async () => {
      const response = await register(body, contentType)
      assert.strictEqual(response.status, status)
      const { error } = await response.json<{ readonly error: string }>()
      assert.strictEqual(error, "invalid_client_metadata")
    })
  }
})
