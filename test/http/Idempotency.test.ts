import { assert, describe, it } from "@effect/vitest"

import { appOrigin, atApp, outcome, sessionToken } from "../support/AtApp.ts"
import { testApp } from "../support/TestApp.ts"
import { authorizationRequest, locationOf, Visitor } from "../support/Visitor.ts"
import { formOf } from "../support/WebBrowser.ts"

/** Somebody who has made up their mind in front of a consent page. */
const decided = async (decision: "approve" | "deny") => {
  const app = testApp()
  const clientId = await app.visitor.register()
  const form = formOf(await (await app.visitor.get("/authorize", await authorizationRequest(clientId))).text())
  form.set("decision", decision)
  return { ...app, clientId, form, send: () => app.visitor.post("/authorize", form) }
}

/** A browser that comes back from Clerk. */
const backFromClerk = async () => {
  const { send, ...app } = await decided("approve")
  const state = locationOf(await send()).searchParams.get("state") ?? ""
  return { ...app, state, load: () => app.visitor.get("/callback", { state, code: "user_ada" }) }
}

const grantsIn = (keys: ReadonlyArray<string>) => keys.filter((key) => key.startsWith("grant:")).length

/** How many handles were made and how many were used up. */
const handles = (calls: ReadonlyArray<{ readonly method: string; readonly key: string }>) =>
  ["put", "delete"].map(
    (method) => calls.filter((call) => call.method === method && call.key.startsWith("transaction:")).length
  )

describe("a form that is sent twice", () => {
  for (const decision of ["approve", "deny"] as const) {
    it(`is answered like the first time, one after the other: ${decision}`, async () => {
      const { kv, send } = await decided(decision)
      const first = await send()
      const before = handles(kv.calls)
      const [second, third] = [await send(), await send()]
      for (const again of [second, third]) {
        assert.strictEqual(again.status, 302)
        assert.deepStrictEqual([...again.headers], [...first.headers])
      }
      assert.deepStrictEqual(handles(kv.calls), before)
    })

    it(`is served once when both are under way: ${decision}`, async () => {
      const { kv, send } = await decided(decision)
      const [first, second] = await Promise.all([send(), send()])
      assert.strictEqual(locationOf(second).href, locationOf(first).href)
      assert.deepStrictEqual(handles(kv.calls), decision === "approve" ? [2, 1] : [1, 1])
    })
  }

  it("is answered for 60 s, out of a store that holds nothing of use", async () => {
    const { clientId, kv, load, state } = await backFromClerk()
    const back = locationOf(await load())
    const kept = kv.keys.filter((key) => key.startsWith("answer:"))
    assert.lengthOf(kept, 2)
    for (const key of kept) assert.isAtMost(kv.secondsLeft(key) ?? Infinity, 60)
    const stored = kv
      .dump()
      .filter(([key]) => key.startsWith("answer:"))
      .flat()
      .join("\n")
    for (const part of [state, back.searchParams.get("code") ?? "", clientId, "client.example", "302", "Set-Cookie"]) {
      assert.notInclude(stored, part)
    }
  })

  it("leaves the browser's cookie for the handle for 60 s, and no other", async () => {
    const { send } = await decided("deny")
    const cookies = (await send()).headers.getSetCookie()
    assert.lengthOf(cookies, 1)
    assert.match(
      cookies[0] ?? "",
      /^__Host-oauth-consent-\w{16}=\w{64}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=60$/u
    )
  })

  it("is refused in another browser, even in one with the same form of its own", async () => {
    const { clientId, form, handler, kv, send } = await decided("approve")
    locationOf(await send())
    const stranger = new Visitor(handler)
    await stranger.get("/authorize", await authorizationRequest(clientId))
    const before = kv.calls.filter(({ key }) => key.startsWith("answer:")).length
    const refused = await stranger.post("/authorize", form)
    assert.strictEqual(refused.status, 400)
    assert.isNull(refused.headers.get("location"))
    assert.strictEqual(kv.calls.filter(({ key }) => key.startsWith("answer:")).length, before)
  })

  it("goes on after a store that failed at first", async () => {
    const { kv, send } = await decided("approve")
    kv.outage = true
    assert.isNull((await send()).headers.get("location"))
    kv.outage = false
    assert.strictEqual(locationOf(await send()).origin, "https://clerk.example.com")
  })
})

describe("a callback that is loaded twice", () => {
  it("hands over one code, one after the other or at once", async () => {
    for (const both of ["after", "at once"]) {
      const { clientId, kv, load, visitor } = await backFromClerk()
      const [first, second] = both === "after" ? [await load(), await load()] : await Promise.all([load(), load()])
      assert.strictEqual(locationOf(second).href, locationOf(first).href)
      assert.strictEqual(grantsIn(kv.keys), 1)
      const code = locationOf(second).searchParams.get("code") ?? ""
      assert.strictEqual((await visitor.redeem(clientId, code)).status, 200)
    }
  })

  it("shows the same page where consent has to be asked for again", async () => {
    const { clientId, form, kv, send, visitor } = await decided("approve")
    form.set("remember", "yes")
    const signIn = locationOf(await send())
    await visitor.get("/callback", { state: signIn.searchParams.get("state") ?? "", code: "user_ada" })
    const earlier = locationOf(await visitor.get("/authorize", await authorizationRequest(clientId)))
    const load = () => visitor.get("/callback", { state: earlier.searchParams.get("state") ?? "", code: "user_mina" })
    const [first, second] = [await (await load()).text(), await (await load()).text()]
    assert.include(first, 'name="handle"')
    assert.strictEqual(second, first)
    assert.strictEqual(grantsIn(kv.keys), 1)
  })

  it("hands over one code where the app's form was sent twice", async () => {
    for (const both of ["after", "at once"]) {
      const { clientId, grants, state, visitor } = await atApp()
      const hand = () => visitor.handOver({ state, session_token: sessionToken() }, appOrigin)
      const ways = [locationOf(await hand()), locationOf(await hand())] as const
      const load = (way: URL) => visitor.get(way)
      const [first, second] =
        both === "after"
          ? [await load(ways[0]), await load(ways[1])]
          : await Promise.all([load(ways[0]), load(ways[1])])
      assert.strictEqual(outcome(first), "a code")
      assert.strictEqual(locationOf(second).href, locationOf(first).href)
      assert.strictEqual(grants(), 1)
      // A third form comes back after the browser has lost the proof.
      assert.strictEqual(locationOf(await load(locationOf(await hand()))).href, locationOf(first).href)
      const code = locationOf(first).searchParams.get("code") ?? ""
      assert.strictEqual((await visitor.redeem(clientId, code)).status, 200)
    }
  })
})
