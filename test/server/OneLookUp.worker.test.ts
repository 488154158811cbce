import { assert, describe, it } from "@effect/vitest"

import { answerOf, eras, hook, signIn, timesAsked, toolCall } from "../support/workerd/Caller.ts"
import { places } from "../support/workerd/Places.ts"

const calls = 1_000
const atOnce = 20

describe("a person who calls 1,000 times within a minute, through two isolates", () => {
  it("costs Clerk one look: one question about the user, and one page of memberships", async () => {
    const email = "busy@example.com"
    await hook("users/create", { email, firstName: "Bea", lastName: "Quick" })
    const since = performance.now()
    const token = await signIn(email)
    const [userId = ""] = token.split(":")
    const served = { app: 0, otherIsolate: 0 }
    let next = 0
    const work = async () => {
      while (next < calls) {
        const number = next++
        const place = number % 2 === 0 ? "app" : "otherIsolate"
        const response = await toolCall(places[place], token, "whoAmI", {}, { era: eras[(number >> 1) % 2]! })
        assert.strictEqual(response.status, 200)
        const answer = await answerOf(response)
        assert.nestedPropertyVal(answer, "result.structuredContent.email", email)
        served[place] += 1
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    const took = performance.now() - since
    assert.deepStrictEqual(served, { app: calls / 2, otherIsolate: calls / 2 })
    assert.isBelow(took, 60_000, "a second look would be right after a minute")
    const asked = {
      user: await timesAsked(`/v1/users/${userId}`),
      memberships: await timesAsked(`/v1/users/${userId}/organization_memberships`)
    }
    console.info(`${calls} calls in ${Math.round(took)} ms, ${JSON.stringify(asked)}`)
    assert.deepStrictEqual(asked, { user: 1, memberships: 1 })
  })
})
