import { assert, describe, it } from "@effect/vitest"

import { connect } from "../../support/McpClient.ts"
import { testApp } from "../../support/TestApp.ts"

describe("a change of what a user may use", () => {
  it("is told once, to those who follow this user’s changes, when a request without a session shows it", async () => {
    const { agents, clerk, handler, visitor, wait } = testApp()
    const client = await connect(handler, (await visitor.signIn("user_ada")).access_token)
    const other = await connect(handler, (await visitor.signIn("user_mina")).access_token)
    const call = async () => {
      await client.callTool({ name: "userInfo", arguments: {} })
      await client.callTool({ name: "userInfo", arguments: {} })
      await other.callTool({ name: "userInfo", arguments: {} })
      return agents.told
    }
    assert.deepEqual(await call(), [])
    wait(61)
    assert.deepEqual(await call(), [])
    clerk.people.set("user_ada", { id: "user_ada", role: "premium" })
    wait(61)
    assert.deepEqual(await call(), ["user_ada"])
    wait(61)
    assert.deepEqual(await call(), ["user_ada"])
    clerk.people.set("user_ada", { id: "user_ada", role: "premium", permissions: ["org:b", "org:a"] })
    wait(61)
    assert.deepEqual(await call(), ["user_ada", "user_ada"])
    clerk.people.set("user_ada", { id: "user_ada", role: "premium", permissions: ["org:a", "org:b"], firstName: "A" })
    wait(61)
    assert.deepEqual(await call(), ["user_ada", "user_ada"])
  })
})
