import { assert, it } from "@effect/vitest"
import { testServer } from "clerk-mcp-worker/testing"

import worker from "../src/worker.ts"

it("serves what is in stock to a signed-in client", async () => {
  const settings = { LOW_STOCK: "13", ORDERS_AT_ONCE: "2", ORDERS_KEY: "acme", ORDERS: { prepare() {} } }
  const server = testServer(worker, { users: [{ role: "premium" }], settings })
  const client = await server.connect({}, { scopes: ["stock:read"] })
  const { structuredContent } = await client.callTool({ name: "checkStock", arguments: { product: "chair" } })
  assert.deepStrictEqual(structuredContent, { count: 12, low: true })
})
