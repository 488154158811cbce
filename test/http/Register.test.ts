import { assert, describe, it } from "@effect/vitest"

import { testApp } from "../support/TestApp.ts"

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

  for (const [what, body, contentType, status] of [
    ["more than 20 redirect URIs", metadata(21), "application/json", 400],
    ["more than 16 KiB", JSON.stringify({ client_name: "x".repeat(17_000) }), "application/json", 413],
    ["what any page can post without asking", metadata(1), "text/plain", 415],
    ["what is no JSON", "redirect_uris=1", "application/json", 400],
    ["what is no object", "[]", "application/json", 400]
  ] as const) {
    it(`refuses ${what}`, async () => {
      const response = await register(body, contentType)
      assert.strictEqual(response.status, status)
      const { error } = (await response.json()) as { readonly error: string }
      assert.strictEqual(error, "invalid_client_metadata")
    })
  }
})
