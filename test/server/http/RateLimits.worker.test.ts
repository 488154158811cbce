import { assert, describe, it } from "@effect/vitest"

import { signIn, toolCall } from "../../support/workerd/Caller.ts"
import { fromAddress, places } from "../../support/workerd/Places.ts"

/** The limits of `wrangler.jsonc`, which the Worker runs with here, in a minute. */
const most = { register: 30, authorize: 120, token: 600, user: 600 }

/** No test shares an address with another one. */
let addresses = 0
const freshAddress = () => `198.51.100.${++addresses}`

/** A request's method, headers and body. */
interface Sent extends Omit<RequestInit, "headers"> {
  readonly headers?: Readonly<Record<string, string>>
}

const at = (address: string, path: string, init: Sent = {}) =>
  fetch(`${places.limited}${path}`, {
    ...init,
    headers: { ...init.headers, [fromAddress]: address },
    redirect: "manual"
  })

const register = (address: string) =>
  at(address, "/register", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ redirect_uris: ["https://client.example/callback"], token_endpoint_auth_method: "none" })
  })

const redeem = (address: string) =>
  at(address, "/token", { method: "POST", body: new URLSearchParams({ grant_type: "authorization_code", code: "x" }) })

/** Sends so many requests, 20 at a time, and counts the answers by their status. */
const flood = async (count: number, send: () => Promise<Response>) => {
  const statuses = new Map<number, number>()
  for (let sent = 0; sent < count; sent += 20) {
    for (const response of await Promise.all(Array.from({ length: Math.min(20, count - sent) }, send))) {
      await response.arrayBuffer()
      if (response.status === 429) assert.strictEqual(response.headers.get("retry-after"), "60")
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
    }
  }
  return statuses
}

/**
 * A flood may meet the end of one minute, and gets what is left of it and what the next one lets through. All that is
 * over these is refused.
 */
const assertStopped = (statuses: ReadonlyMap<number, number>, passed: number, limit: number, count: number) => {
  const through = statuses.get(passed) ?? 0
  assert.isAtLeast(through, limit, JSON.stringify([...statuses]))
  assert.isAtMost(through, 2 * limit, JSON.stringify([...statuses]))
  assert.strictEqual(through + (statuses.get(429) ?? 0), count, JSON.stringify([...statuses]))
}

describe("the rate limits in workerd, with those of wrangler.jsonc", () => {
  it("stop a flood of registrations from one address, and another address still registers", async () => {
    const statuses = await flood(
      300,
      (
        (address) => () =>
          register(address)
      )(freshAddress())
    )
    assertStopped(statuses, 201, most.register, 300)
    assert.strictEqual((await register(freshAddress())).status, 201)
  })

  it("stop a flood of sign-ins from one address, and another address still gets its page", async () => {
    const address = freshAddress()
    assertStopped(await flood(500, () => at(address, "/authorize")), 400, most.authorize, 500)
    assert.strictEqual((await at(freshAddress(), "/authorize")).status, 400)
  })

  it("stop a flood of token requests from one address, and another address is still answered", async () => {
    const address = freshAddress()
    const { status } = await redeem(freshAddress())
    assert.notStrictEqual(status, 429)
    assertStopped(await flood(1_400, () => redeem(address)), status, most.token, 1_400)
    assert.strictEqual((await redeem(freshAddress())).status, status)
  })

  it("stop a flood of calls of one user, and another user still calls", async () => {
    const [member, premium] = [await signIn("member@example.com"), await signIn("premium@example.com")]
    const call = (token: string) => toolCall(places.limited, token, "sum", { a: 1, b: 2 })
    assertStopped(await flood(1_400, () => call(member)), 200, most.user, 1_400)
    assert.strictEqual((await call(premium)).status, 200)
  })
})
