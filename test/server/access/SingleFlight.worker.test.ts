import { assert, describe, it } from "@effect/vitest"
import { beforeAll } from "vitest"

import { demoUsers } from "../../../dev/clerk/DemoUsers.ts"
import { answerOf, type Era, eras, hook, signIn, timesAsked, toolCall, until } from "../../support/workerd/Caller.ts"
import { places } from "../../support/workerd/Places.ts"

const clerkTakes = 1_000

/** Tokens of several clients of each user, from so long ago that Clerk has to be asked about the user anew. */
const tokens = new Map<string, ReadonlyArray<string>>()

beforeAll(async () => {
  for (const { email } of [demoUsers.admin, demoUsers.member, demoUsers.premium, demoUsers.artist]) {
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

/** Isolates that share the objects of their users. */
const isolates = [places.app, places.otherIsolate, places.waitingModel, places.publishedOnly]

const sum = (place: string, token: string, era: Era = "2026-07-28") =>
  toolCall(place, token, "sum", { a: 1, b: 2 }, { era })

const ping = (place: string, token: string) =>
  fetch(`${place}/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      accept: "application/json, text/event-stream",
      "content-type": "application/json"
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
  })

const add = (token: string, signal?: AbortSignal) =>
  toolCall(places.otherIsolate, token, "sum", { a: 1, b: 2 }, signal && { signal })

const answered = { jsonrpc: "2.0", id: 1 }

describe("one question to Clerk for several requests, in workerd", () => {
  it("answers all concurrent requests of one user from one question", async () => {
    const { tokens, asked } = await several(demoUsers.member, 5)
    const responses = await Promise.all([...tokens, ...tokens].map((token) => add(token)))
    assert.deepStrictEqual(
      responses.map(({ status }) => status),
      responses.map(() => 200)
    )
    for (const response of responses) assert.deepInclude(await answerOf(response), answered)
    assert.deepStrictEqual(await asked(), [1, 1])
  })

  it("answers 1,000 calls within a minute through four isolates from one question", async () => {
    const { tokens, asked } = await several(demoUsers.admin, 5)
    const since = performance.now()
    const statuses = new Array<number>()
    const caller = async (_: unknown, first: number) => {
      for (let call = first; call < 1_000; call += 20) {
        const [place = "", token = ""] = [isolates[call % 4], tokens[call % 5]]
        // A tool's call is a line in the log: most of these are pings.
        const response = call % 25 === 0 ? await sum(place, token, eras[(call / 25) % 2]) : await ping(place, token)
        statuses.push(response.status)
        assert.property(await answerOf(response), "result")
      }
    }
    await Promise.all(Array.from({ length: 20 }, caller))
    const took = performance.now() - since
    const [users, memberships] = await asked()
    console.info(
      `1,000 calls in ${(took / 1_000).toFixed(1)} s: ${users} question for the user, ${memberships} for memberships`
    )
    assert.isBelow(took, 60_000)
    assert.lengthOf(statuses, 1_000)
    assert.deepStrictEqual([...new Set(statuses)], [200])
    assert.deepStrictEqual([users, memberships], [1, 1])
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
      assert.deepInclude(await answerOf(response), answered)
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
