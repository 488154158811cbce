import { assert, describe, it } from "@effect/vitest"
import { beforeAll } from "vitest"

import { demoUsers } from "../../../dev/clerk/DemoUsers.ts"
import { answerOf, hook, signIn, timesAsked, toolCall, until } from "../../support/workerd/Caller.ts"
import { places } from "../../support/workerd/Places.ts"

const clerkTakes = 1_000

/** Tokens of several clients of each user, from so long ago that Clerk has to be asked about the user anew. */
const tokens = new Map<string, ReadonlyArray<string>>()

beforeAll(async () => {
  for (const { email } of [demoUsers.member, demoUsers.premium, demoUsers.artist]) {
    tokens.set(email, await Promise.all(Array.from({ length: 5 }, () => signIn(email))))
  }
  await new Promise((resolve) => setTimeout(resolve, 61_000))
}, 120_000)

/** The tokens of a user, and a Clerk that takes a while to say what the user may do. */
const several = async (user: { readonly id: string; readonly email: string }, clients: number) => {
  const paths = [`/v1/users/${user.id}`, `/v1/users/${user.id}/organization_memberships`]
  const before = await Promise.all(paths.map(timesAsked))
  await hook("faults", { path: `/v1/users/${user.id}`, times: 2, effect: { kind: "delay", millis: clerkTakes } })
  return {
    tokens: (tokens.get(user.email) ?? []).slice(0, clients),
    asked: async () => {
      const now = await Promise.all(paths.map(timesAsked))
      return now.map((count, index) => count - before[index]!)
    }
  }
}

const add = (token: string, signal?: AbortSignal) =>
  toolCall(places.otherIsolate, token, "sum", { a: 1, b: 2 }, signal && { signal })

const sum = { jsonrpc: "2.0", id: 1 }

describe("one question to Clerk for several requests, in workerd", () => {
  it("answers all concurrent requests of one user from one question", async () => {
    const { tokens, asked } = await several(demoUsers.member, 5)
    const responses = await Promise.all([...tokens, ...tokens].map((token) => add(token)))
    assert.deepStrictEqual(
      responses.map(({ status }) => status),
      responses.map(() => 200)
    )
    for (const response of responses) assert.deepInclude(await answerOf(response), sum)
    assert.deepStrictEqual(await asked(), [1, 1])
  })

  it("goes on when the request that asked is abandoned by its client", async () => {
    const { tokens, asked } = await several(demoUsers.premium, 4)
    const [first = "", ...others] = tokens
    const leaving = new AbortController()
    const abandoned = add(first, leaving.signal).then(
      () => "answered",
      () => "abandoned"
    )
    await until(async () => (await asked()).every((count) => count === 1))
    const waiting = Promise.all(others.map((token) => add(token)))
    await new Promise((resolve) => setTimeout(resolve, 200))
    leaving.abort()
    assert.strictEqual(await abandoned, "abandoned")
    for (const response of await waiting) {
      assert.strictEqual(response.status, 200)
      assert.deepInclude(await answerOf(response), sum)
    }
    assert.deepStrictEqual(await asked(), [1, 1])
  })

  it("goes on without a waiting request that is abandoned", async () => {
    const { tokens, asked } = await several(demoUsers.artist, 3)
    const [first = "", second = "", third = ""] = tokens
    const asking = add(first)
    await until(async () => (await asked()).every((count) => count === 1))
    const leaving = new AbortController()
    const abandoned = add(second, leaving.signal).then(
      () => "answered",
      () => "abandoned"
    )
    const waiting = add(third)
    await new Promise((resolve) => setTimeout(resolve, 200))
    leaving.abort()
    assert.strictEqual(await abandoned, "abandoned")
    for (const response of await Promise.all([asking, waiting])) assert.strictEqual(response.status, 200)
    assert.deepStrictEqual(await asked(), [1, 1])
  })
})
