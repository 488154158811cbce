import { assert, describe, it } from "@effect/vitest"

import { appOrigin, sessionToken, throughApp } from "../../support/AtApp.ts"
import { testApp } from "../../support/TestApp.ts"
import {
  authorizationRequest,
  formOf,
  jsonOf,
  locationOf,
  redirectUri,
  type Visitor
} from "../../../src/server/testing/Visitor.ts"

/** A step, ready to be done: once, and again after it failed. */
type Step = () => Promise<Response>

interface Server {
  readonly visitor: Visitor
  readonly kv: ReturnType<typeof testApp>["kv"]
}

const steps: Readonly<Record<string, (visitor: Visitor) => Promise<Step>>> = {
  authorize: async (visitor) => {
    const request = await authorizationRequest(await visitor.register())
    return () => visitor.get("/authorize", request)
  },
  approve: async (visitor) => {
    const page = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
    const form = formOf(await page.text())
    form.set("decision", "approve")
    return () => visitor.post("/authorize", form)
  },
  deny: async (visitor) => {
    const page = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
    const form = formOf(await page.text())
    form.set("decision", "deny")
    return () => visitor.post("/authorize", form)
  },
  callback: async (visitor) => {
    const page = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
    const state = (await visitor.decide(page, "approve")).searchParams.get("state") ?? ""
    return () => visitor.get("/callback", { state, code: "user_ada" })
  },
  "callback where consent was given before": async (visitor) => {
    const request = await authorizationRequest(await visitor.register())
    const form = formOf(await (await visitor.get("/authorize", request)).text())
    form.set("decision", "approve")
    form.set("remember", "yes")
    const first = locationOf(await visitor.post("/authorize", form)).searchParams.get("state") ?? ""
    await visitor.get("/callback", { state: first, code: "user_ada" })
    const next = locationOf(await visitor.get("/authorize", request)).searchParams.get("state") ?? ""
    return () => visitor.get("/callback", { state: next, code: "user_ada" })
  }
}

/** Programs send these, and get JSON. */
const requests: Readonly<Record<string, (visitor: Visitor) => Promise<Step>>> = {
  register: async (visitor) => () => visitor.registration(),
  exchange: async (visitor) => {
    const clientId = await visitor.register()
    const back = await visitor.authorize(clientId, "user_ada")
    return () => visitor.redeem(clientId, back.searchParams.get("code") ?? "")
  },
  refresh: async (visitor) => {
    const { clientId, refresh_token } = await visitor.signIn("user_ada")
    return () => visitor.token({ grant_type: "refresh_token", client_id: clientId, refresh_token })
  },
  revoke: async (visitor) => {
    const { clientId, refresh_token } = await visitor.signIn("user_ada")
    return () => visitor.token({ token: refresh_token, client_id: clientId })
  }
}

/** Does a step with each of its calls of the store failing in turn. */
const walk = async (
  server: () => Server,
  prepare: (visitor: Visitor) => Promise<Step>,
  check: (failed: Response, again: Step, call: string, key: string) => Promise<void>
) => {
  let walked = 0
  for (let n = 1; ; n++) {
    const { visitor, kv } = server()
    const step = await prepare(visitor)
    kv.failsAt = n
    const response = await step()
    if (kv.failsAt > 0) break
    await check(response, step, `call ${n}`, kv.failedKey)
    walked++
  }
  assert.isAbove(walked, 0)
}

/**
 * The client has learned it, or trying again works, as the page says. An answer that cannot be kept for a form that is
 * sent twice is given all the same.
 */
const toldOrAgain = async (failed: Response, again: Step, call: string, key: string) => {
  const location = failed.headers.get("location")
  if (key.startsWith("answer:")) {
    assert.strictEqual(failed.status, 302, call)
    assert.notInclude(location ?? "", "temporarily_unavailable", call)
    return
  }
  if (location === null) {
    assert.strictEqual(failed.status, 503, call)
    assert.include(await failed.text(), "try again")
    assert.isBelow((await again()).status, 400, call)
    return
  }
  const { origin, pathname, searchParams } = new URL(location)
  assert.strictEqual(origin + pathname, redirectUri, call)
  assert.strictEqual(searchParams.get("error"), "temporarily_unavailable", call)
  assert.strictEqual(searchParams.get("state"), "the-state-of-the-client")
  assert.strictEqual(searchParams.get("iss"), "https://mcp.example.com")
}

describe("a store that fails at any one call", () => {
  for (const [name, prepare] of Object.entries(steps)) {
    it(`${name}: the client is told, or the person can try again`, () => walk(() => testApp(), prepare, toldOrAgain))
  }

  it("callback from the app: the client is told, or the person can try again", () =>
    walk(
      () => {
        const { kv, visitor, clerk } = testApp(throughApp)
        clerk.sessions.set("sess_ada", "user_ada")
        return { kv, visitor }
      },
      async (visitor) => {
        const page = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
        const state = (await visitor.decide(page, "approve")).searchParams.get("state") ?? ""
        await visitor.handOver({ state, session_token: sessionToken() }, appOrigin)
        return () => visitor.get("/callback", { state })
      },
      toldOrAgain
    ))

  for (const [name, prepare] of Object.entries(requests)) {
    it(`${name}: ${name === "refresh" ? "it is tried again at once" : "the client is told when to try again"}`, () =>
      walk(
        () => testApp(),
        prepare,
        async (failed, again, call) => {
          if (name === "refresh") return assert.strictEqual(failed.status, 200, call)
          assert.strictEqual(failed.status, 503, call)
          assert.match(failed.headers.get("retry-after") ?? "", /^[1-9]\d*$/u, call)
          assert.strictEqual((await jsonOf(failed))["error"], "temporarily_unavailable", call)
          assert.isBelow((await again()).status, 300, call)
        }
      ))
  }
})

describe("an object that cannot store what is changed", () => {
  it("callback: the client gets its code all the same, or is told", async () => {
    for (const failures of [1, 99]) {
      const { accounts, visitor } = testApp()
      const step = await steps["callback"]!(visitor)
      accounts.failedCommits = failures
      const { searchParams } = locationOf(await step())
      assert.strictEqual(searchParams.get("error"), failures === 1 ? null : "temporarily_unavailable")
    }
  })

  for (const name of ["exchange", "refresh", "revoke"]) {
    it(`${name}: the client is told when to try again`, async () => {
      const { accounts, log, visitor } = testApp()
      const step = await requests[name]!(visitor)
      // A refresh is sent to the object up to three times.
      accounts.failedCommits = name === "refresh" ? 3 : 1
      const failed = await step()
      assert.strictEqual(failed.status, 503)
      assert.match(failed.headers.get("retry-after") ?? "", /^[1-9]\d*$/u)
      assert.strictEqual((await jsonOf(failed))["error"], "temporarily_unavailable")
      assert.notInclude(log.join("\n"), "internal detail")
      assert.isBelow((await step()).status, 300)
    })
  }
})
