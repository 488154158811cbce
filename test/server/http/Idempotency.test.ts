import { assert, describe, it } from "@effect/vitest"

import { appOrigin, atApp, outcome, sessionToken } from "../../support/AtApp.ts"
import { testApp } from "../../support/TestApp.ts"
import { authorizationRequest, formOf, locationOf, Visitor } from "../../../src/server/testing/Visitor.ts"

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
    for (const part of [
      state,
      back.searchParams.get("code") ?? "",
      clientId,
      "client.example",
      "status",
      "Set-Cookie"
    ]) {
      assert.notInclude(stored, part)
    }
  })

  it("knows the browser by a secret that is in no address", async () => {
    const { handler, visitor } = testApp()
    const page = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
    const [secret, ...more] = page.headers.getSetCookie().filter((cookie) => cookie.startsWith("__Host-sign-in="))
    assert.lengthOf(more, 0)
    assert.match(secret ?? "", /^__Host-sign-in=[0-9a-f]{32}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=1800$/u)
    const other = await new Visitor(handler).get("/authorize", await authorizationRequest(await visitor.register()))
    assert.notInclude(other.headers.getSetCookie(), secret)
  })

  it("is refused in another browser, even in one with the same form of its own", async () => {
    const { clientId, form, handler, kv, send } = await decided("approve")
    locationOf(await send())
    const stranger = new Visitor(handler)
    await stranger.get("/authorize", await authorizationRequest(clientId))
    const kept = () => kv.calls.filter(({ method, key }) => method === "put" && key.startsWith("answer:")).length
    const before = kept()
    const refused = await stranger.post("/authorize", form)
    assert.strictEqual(refused.status, 400)
    assert.isNull(refused.headers.get("location"))
    assert.strictEqual(kept(), before)
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
      const { accounts, clientId, load, visitor } = await backFromClerk()
      const [first, second] = both === "after" ? [await load(), await load()] : await Promise.all([load(), load()])
      assert.strictEqual(locationOf(second).href, locationOf(first).href)
      assert.lengthOf(await accounts.grants(), 1)
      const code = locationOf(second).searchParams.get("code") ?? ""
      assert.strictEqual((await visitor.redeem(clientId, code)).status, 200)
    }
  })

  it("is refused to whoever knows the address, and makes up the cookies of the library", async () => {
    const { handler, load, state } = await backFromClerk()
    const code = locationOf(await load()).searchParams.get("code")
    assert.isNotNull(code)
    const [, claims = ""] = state.split(".")
    const { payload } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { readonly payload: string }
    const hash = Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(payload))).toString("hex")
    for (const secret of ["", `; __Host-sign-in=${"0".repeat(32)}`]) {
      const thief = new Request(`https://mcp.example.com/callback?state=${state}&code=user_ada`, {
        headers: { cookie: `__Host-oauth-upstream-${hash.slice(0, 16)}=${hash}${secret}` }
      })
      const answer = await handler(thief)
      assert.deepStrictEqual([answer.status, answer.headers.get("location")], [400, null])
    }
  })

  it("shows the same page where consent has to be asked for again", async () => {
    const { accounts, clientId, form, send, visitor } = await decided("approve")
    form.set("remember", "yes")
    const signIn = locationOf(await send())
    await visitor.get("/callback", { state: signIn.searchParams.get("state") ?? "", code: "user_ada" })
    const earlier = locationOf(await visitor.get("/authorize", await authorizationRequest(clientId)))
    const load = () => visitor.get("/callback", { state: earlier.searchParams.get("state") ?? "", code: "user_mina" })
    const [first, second] = [await (await load()).text(), await (await load()).text()]
    assert.include(first, 'name="handle"')
    assert.strictEqual(second, first)
    assert.lengthOf(await accounts.grants(), 1)
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
      assert.strictEqual(await grants(), 1)
      // A third form comes back after the browser has lost the proof.
      assert.strictEqual(locationOf(await load(locationOf(await hand()))).href, locationOf(first).href)
      const code = locationOf(first).searchParams.get("code") ?? ""
      assert.strictEqual((await visitor.redeem(clientId, code)).status, 200)
    }
  })
})
