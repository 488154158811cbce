import { assert, describe, it } from "@effect/vitest"

import { demoUsers } from "../../../dev/clerk/DemoUsers.ts"
import { OAuthClient } from "../../support/OAuthClient.ts"
import { consentForm } from "../../support/Person.ts"
import { hook, person, until, timesAsked } from "../../support/workerd/Caller.ts"
import { places } from "../../support/workerd/Places.ts"

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** Until a handle is old enough to be deleted at once when it is used up: Workers KV takes one write a second of a key. */
const ageOfHandle = 1_200

const elsewhere = (address: URL) => new URL(address.pathname + address.search, places.otherIsolate)

/** A request of a browser that follows no redirect: where it is sent. */
const sender = (cookie: string) => async (address: URL, form?: URLSearchParams, signal?: AbortSignal) => {
  const response = await fetch(address, {
    redirect: "manual",
    headers: { cookie, accept: "text/html", ...(form && { origin: places.app }) },
    ...(form && { method: "POST", body: form }),
    ...(signal && { signal })
  })
  await response.text()
  return response.headers.get("location") ?? `no redirect but ${response.status}`
}

/** Somebody who has come back from Clerk. Clerk takes a while to redeem its code. */
const backFromClerk = async () => {
  const client = await OAuthClient.register(`${places.app}/mcp`)
  const attempt = await client.begin()
  const somebody = person(demoUsers.member.email)
  const callback = await somebody.untilCallback(attempt.address)
  await pause(ageOfHandle)
  await hook("faults", { path: "/oauth/token", times: 1, effect: { kind: "delay", millis: 1_000 } })
  const asked = await timesAsked("/oauth/token")
  return {
    callback,
    send: sender(somebody.browser.cookies.join("; ")),
    exchanging: () => until(async () => (await timesAsked("/oauth/token")) > asked),
    exchanges: async () => (await timesAsked("/oauth/token")) - asked,
    redeem: (location: string) => client.redeem(attempt, new URL(location))
  }
}

describe("a repeated request, in workerd", () => {
  it("of the consent form leads to the same sign-in, in the same isolate and in another one", async () => {
    const client = await OAuthClient.register(`${places.app}/mcp`)
    const { browser } = person(demoUsers.member.email)
    const form = consentForm(await browser.open((await client.begin()).address))
    const send = sender(browser.cookies.join("; "))
    const target = new URL("/authorize", places.app)
    await pause(ageOfHandle)
    const [first, second] = await Promise.all([send(target, form), send(target, form)])
    assert.match(first, /^http.*[?&]state=/u)
    assert.deepStrictEqual([second, await send(target, form)], [first, first])
    assert.strictEqual(await send(elsewhere(target), form), first)
  })

  it("of the callback gets the code of the first, which the browser has given up", async () => {
    const { callback, exchanges, exchanging, redeem, send } = await backFromClerk()
    const leaving = new AbortController()
    const abandoned = send(callback, undefined, leaving.signal).catch(() => "abandoned")
    await exchanging()
    const second = send(callback)
    await pause(100)
    leaving.abort()
    assert.strictEqual(await abandoned, "abandoned")
    assert.strictEqual((await redeem(await second)).token_type, "bearer")
    assert.strictEqual(await send(callback), await second)
    assert.strictEqual(await exchanges(), 1)
  })

  it("of the callback waits in another isolate until the first has its answer", async () => {
    const { callback, exchanges, exchanging, redeem, send } = await backFromClerk()
    const first = send(callback)
    await exchanging()
    assert.strictEqual(await send(elsewhere(callback)), await first)
    assert.strictEqual((await redeem(await first)).token_type, "bearer")
    assert.strictEqual(await exchanges(), 1)
  })
})
