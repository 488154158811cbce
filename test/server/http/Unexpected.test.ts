import { assert, describe, it } from "@effect/vitest"

import { testApp } from "../../support/TestApp.ts"

const reference = /[2-9A-HJ-NP-Z]{8}/u

describe("a store that does not answer", () => {
  it("is told to clients as temporarily unavailable, with a reference that the log knows", async () => {
    const { kv, log, visitor } = testApp()
    kv.outage = true
    const response = await visitor.token({ grant_type: "refresh_token", refresh_token: "a:b:c", client_id: "x" })
    assert.strictEqual(response.status, 503)
    assert.match(response.headers.get("retry-after") ?? "", /^\d+$/u)
    const { error, error_description: text } = await response.json<Record<string, string>>()
    assert.strictEqual(error, "temporarily_unavailable")
    const [id = "none"] = reference.exec(String(text)) ?? []
    assert.isTrue(log.some((line) => line.includes(id)))
    assert.isFalse(log.some((line) => line.includes("internal detail")))
  })

  it("is told to resource clients as 503, and to the operator", async () => {
    const { accounts, handler, log } = testApp()
    accounts.failures = 99
    const headers = { authorization: "Bearer user_ada:grant:secret", host: "mcp.example.com" }
    const response = await handler(new Request("https://mcp.example.com/mcp", { method: "POST", headers }))
    assert.strictEqual(response.status, 503)
    assert.isTrue(log.some((line) => line.includes("The object of a user did not answer")))
  })

  it("does not come about because a key is too long to exist", async () => {
    const { visitor } = testApp()
    const long = "a".repeat(600)
    assert.strictEqual(
      (await visitor.token({ grant_type: "refresh_token", refresh_token: `${long}:b:c`, client_id: long })).status,
      401
    )
  })
})
