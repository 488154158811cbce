import { assert, describe, it } from "@effect/vitest"

import { connect } from "../../../src/server/testing/McpClient.ts"
import { testApp } from "../../support/TestApp.ts"

describe("a change of what a user may use", () => {
  it("is told once, to those who follow this user’s changes, when a request without a session shows it", async () => {
    const { accounts, clerk, handler, visitor, wait } = testApp()
    const client = await connect(handler, (await visitor.signIn("user_ada")).access_token)
    const other = await connect(handler, (await visitor.signIn("user_mina")).access_token)
    const call = async () => {
      await client.callTool({ name: "whoAmI", arguments: {} })
      await client.callTool({ name: "whoAmI", arguments: {} })
      await other.callTool({ name: "whoAmI", arguments: {} })
      return accounts.told
    }
    assert.deepEqual(await call(), [])
    wait(61)
    assert.deepEqual(await call(), [])
    clerk.users.set("user_ada", { id: "user_ada", role: "premium" })
    wait(61)
    assert.deepEqual(await call(), ["user_ada"])
    wait(61)
    assert.deepEqual(await call(), ["user_ada"])
    clerk.users.set("user_ada", {
      id: "user_ada",
      role: "premium",
      organizations: [{ permissions: ["org:b", "org:a"] }]
    })
    wait(61)
    assert.deepEqual(await call(), ["user_ada", "user_ada"])
    clerk.users.set("user_ada", {
      id: "user_ada",
      role: "premium",
      organizations: [{ permissions: ["org:a", "org:b"] }],
      firstName: "A"
    })
    wait(61)
    assert.deepEqual(await call(), ["user_ada", "user_ada"])
  })
})
