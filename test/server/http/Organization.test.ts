import { assert, describe, it } from "@effect/vitest"

import { OrganizationId } from "../../../src/server/domain/Principal.ts"
import { connect } from "../../../src/server/testing/McpClient.ts"
import { authorizationRequest, formOf, jsonOf, locationOf, Visitor } from "../../../src/server/testing/Visitor.ts"
import { appOrigin, comeBack, goToApp, outcome, sessionToken, throughApp } from "../../support/AtApp.ts"
import { acme, atClerk, globex } from "../../support/Members.ts"
import { testApp } from "../../support/TestApp.ts"

/** The values of the radio buttons of a page, the chosen one marked. */
const choices = (text: string) =>
  [...text.matchAll(/<input\s+type="radio"\s+name="organization"\s+value="([^"]+)"([^>]*)>/gu)].map(
    ([, value, state]) => `${value}${state?.includes("checked") === true ? " *" : ""}`
  )

const pageOf = async (response: Response) => {
  assert.strictEqual(response.status, 200)
  return response.text()
}

/** The form of a page as it is sent with Continue. */
const continued = async (page: Response, organization?: string) => {
  const form = formOf(await page.text())
  form.set("decision", "continue")
  if (organization !== undefined) form.set("organization", organization)
  return form
}

describe("after the sign-in", () => {
  for (const [what, organizations, setting, granted] of [
    ["nobody's member", [], "optional", {}],
    ["a member of one", [acme], "optional", { organizationId: "org_acme" }],
    ["a member of one", [acme], "required", { organizationId: "org_acme" }],
    ["a member of one", [acme], "off", {}],
    ["a member of two", [acme, globex], "off", {}]
  ] as const) {
    it(`${what} sees no page, where organizations are ${setting}`, async () => {
      const { grantedFor, signIn } = await atClerk([...organizations], { ORGANIZATIONS: setting })
      assert.strictEqual(outcome(await signIn()), "a code")
      assert.deepStrictEqual(await grantedFor(), [granted])
    })
  }

  it("nobody sees a page where Clerk does not tell memberships", async () => {
    const { clerk, grantedFor, signIn } = await atClerk()
    clerk.tellsMemberships = false
    assert.strictEqual(outcome(await signIn()), "a code")
    assert.deepStrictEqual(await grantedFor(), [{}])
  })

  it("whoever has to be a member and is none, or nobody knows, is refused", async () => {
    for (const [tells, error, words] of [
      [true, "access_denied", /for members of an organization/u],
      [false, "server_error", /correct its Clerk settings/u]
    ] as const) {
      const { clerk, grantedFor, signIn } = await atClerk([], { ORGANIZATIONS: "required" })
      clerk.tellsMemberships = tells
      const back = await signIn()
      assert.strictEqual(outcome(back), error)
      assert.match(locationOf(back).searchParams.get("error_description") ?? "", words)
      assert.deepStrictEqual(await grantedFor(), [])
    }
  })

  for (const [setting, offered] of [
    ["optional", ["org_acme *", "org_globex", "personal"]],
    ["required", ["org_acme *", "org_globex"]]
  ] as const) {
    it(`a member of two chooses, where organizations are ${setting}`, async () => {
      const { grantedFor, signIn } = await atClerk([acme, globex], { ORGANIZATIONS: setting })
      const text = await pageOf(await signIn())
      assert.deepStrictEqual(choices(text), [...offered])
      for (const part of ["Ada Marlowe", "ada@example.com", "Acme", "admin", "Globex", "member", "Test client"]) {
        assert.include(text, part)
      }
      assert.deepStrictEqual(await grantedFor(), [])
    })
  }

  it("the page escapes names, and keeps them in a box", async () => {
    const { clerk, signIn } = await atClerk([acme, { ...globex, name: `<b>"Acme"</b>\u202E` }])
    const user = clerk.users.get("user_ada")
    clerk.users.set("user_ada", { ...user, firstName: "<script>", lastName: null, email: "a&b@example.com" })
    const text = await pageOf(await signIn())
    assert.include(text, `<bdi class="name">&lt;b&gt;&quot;Acme&quot;&lt;/b&gt;</bdi>`)
    assert.include(text, `<bdi class="name">&lt;script&gt;</bdi>`)
    assert.include(text, "a&amp;b@example.com")
    assert.notMatch(text, /<script|<b>|\u202E/u)
  })
})

describe("consent that a browser remembers", () => {
  it("is for what the connection is for: whoever is in an organization since is asked again, once", async () => {
    const { clerk, clientId, grantedFor, visitor, wait } = await atClerk([])
    /** Signs in, without consent where the browser remembers it. */
    const authorize = async () => {
      const first = await visitor.get("/authorize", await authorizationRequest(clientId))
      const form = first.status === 200 ? formOf(await first.text()) : undefined
      form?.set("decision", "approve")
      form?.set("remember", "yes")
      const upstream = locationOf(form === undefined ? first : await visitor.post("/authorize", form))
      const state = upstream.searchParams.get("state") ?? ""
      return visitor.get("/callback", { state, code: "user_ada" })
    }
    assert.strictEqual(outcome(await authorize()), "a code")
    assert.strictEqual(outcome(await authorize()), "a code")
    clerk.users.set("user_ada", { organizations: [acme] })
    wait(61)
    const asked = await authorize()
    assert.include(await asked.clone().text(), 'name="handle"')
    const again = await visitor.decide(asked, "approve")
    const state = again.searchParams.get("state") ?? ""
    assert.strictEqual(outcome(await visitor.get("/callback", { state, code: "user_ada" })), "a code")
    assert.strictEqual(outcome(await authorize()), "a code")
    const organizationId = "org_acme"
    assert.sameDeepMembers(await grantedFor(), [{}, {}, { organizationId }, { organizationId }])
  })
})

describe("POST /organization", () => {
  for (const [organization, granted, told] of [
    ["org_globex", { organizationId: "org_globex" }, "Globex"],
    ["personal", {}, null],
    [undefined, { organizationId: "org_acme" }, "Acme"]
  ] as const) {
    it(`makes the grant for what is chosen, and the tools are told: ${organization}`, async () => {
      const { clientId, grantedFor, handler, signIn, visitor } = await atClerk()
      const back = await visitor.choose(await signIn(), organization)
      assert.strictEqual(outcome(back), "a code")
      assert.deepStrictEqual(await grantedFor(), [granted])
      const tokens = await jsonOf(await visitor.redeem(clientId, locationOf(back).searchParams.get("code") ?? ""))
      const client = await connect(handler, String(tokens["access_token"]))
      const { structuredContent } = await client.callTool({ name: "whoAmI", arguments: {} })
      assert.deepInclude(structuredContent, { userId: "user_ada", organization: told })
    })
  }

  it("proposes at the next sign-in what the connection of the same client is for", async () => {
    const { clientId, signIn, visitor } = await atClerk()
    await visitor.choose(await signIn(), "org_globex")
    assert.include(choices(await pageOf(await signIn("mcp:tools paint:use"))), "org_globex *")
    const other = await visitor.register()
    assert.notStrictEqual(other, clientId)
    assert.include(choices(await pageOf(await signIn(undefined, other))), "org_acme *")
  })

  it("tells the client that the person gave up, and grants nothing", async () => {
    const { grantedFor, signIn, visitor } = await atClerk()
    assert.strictEqual(outcome(await visitor.choose(await signIn(), undefined, "cancel")), "access_denied")
    assert.deepStrictEqual(await grantedFor(), [])
  })

  it("starts the sign-in again for another account", async () => {
    const { accounts, clerk, signIn, visitor } = await atClerk()
    const again = locationOf(await visitor.choose(await signIn(), undefined, "other"))
    assert.strictEqual(again.origin, "https://clerk.example.com")
    assert.strictEqual(again.searchParams.get("prompt"), "login")
    clerk.users.set("user_mina", { id: "user_mina", organizations: [globex] })
    const state = again.searchParams.get("state") ?? ""
    assert.strictEqual(outcome(await visitor.get("/callback", { state, code: "user_mina" })), "a code")
    const granted = await accounts.namespace.getByName("user_mina").grants()
    assert.deepStrictEqual(
      granted.map(({ organizationId }) => organizationId),
      [OrganizationId.make("org_globex")]
    )
    assert.isEmpty(await accounts.namespace.getByName("user_ada").grants())
  })

  for (const [what, organization] of [
    ["an organization of others", "org_initech"],
    ["no id", "<script>"],
    ["nothing", ""]
  ] as const) {
    it(`grants nothing for ${what}`, async () => {
      const { grantedFor, signIn, visitor } = await atClerk()
      const back = await visitor.choose(await signIn(), organization)
      assert.strictEqual(outcome(back), "access_denied")
      assert.include(locationOf(back).searchParams.get("error_description"), "not a member of the organization")
      assert.deepStrictEqual(await grantedFor(), [])
    })
  }

  it("looks again: an organization that was left meanwhile, or a ban", async () => {
    for (const change of [{ organizations: [acme, { id: "org_new" }] }, { banned: true }]) {
      const { clerk, grantedFor, signIn, visitor, wait } = await atClerk()
      const page = await signIn()
      clerk.users.set("user_ada", change)
      wait(61)
      assert.strictEqual(outcome(await visitor.choose(page, "org_globex")), "access_denied")
      assert.deepStrictEqual(await grantedFor(), [])
    }
  })

  it("grants no personal account where the setting demands an organization", async () => {
    const { grantedFor, signIn, visitor } = await atClerk([acme, globex], { ORGANIZATIONS: "required" })
    assert.strictEqual(outcome(await visitor.choose(await signIn(), "personal")), "access_denied")
    assert.deepStrictEqual(await grantedFor(), [])
  })

  it("answers a double click like the first click", async () => {
    for (const both of ["after", "at once"]) {
      const { grantedFor, signIn, visitor } = await atClerk()
      const form = await continued(await signIn(), "org_globex")
      const send = () => visitor.post("/organization", form)
      const [first, second] = both === "after" ? [await send(), await send()] : await Promise.all([send(), send()])
      assert.strictEqual(outcome(first), "a code")
      assert.strictEqual(locationOf(second).href, locationOf(first).href)
      assert.strictEqual((await grantedFor()).length, 1)
    }
  })

  it("takes a choice once: not another one afterwards, and none after giving up", async () => {
    for (const decision of ["continue", "cancel"]) {
      const { grantedFor, signIn, visitor } = await atClerk()
      const form = await continued(await signIn(), "org_globex")
      form.set("decision", decision)
      await visitor.post("/organization", form)
      const before = await grantedFor()
      form.set("decision", "continue")
      form.set("organization", "org_acme")
      assert.strictEqual((await visitor.post("/organization", form)).status, 400)
      assert.deepStrictEqual(await grantedFor(), before)
    }
  })

  it("refuses other browsers, other sites, other states, and forms that are none", async () => {
    const { handler, grantedFor, kv, signIn, visitor, wait } = await atClerk()
    const page = await signIn()
    const form = await continued(page)
    const changed = (change: Readonly<Record<string, string>>) => {
      const other = new URLSearchParams(form)
      for (const [name, value] of Object.entries(change)) other.set(name, value)
      return other
    }
    const twice = new URLSearchParams(form)
    twice.append("organization", "org_globex")
    const state = form.get("state") ?? ""
    const before = kv.calls.length
    const refused = async (answer: Response, status = 400) => {
      assert.strictEqual(answer.status, status)
      assert.isNull(answer.headers.get("location"))
    }
    await refused(await visitor.post("/organization", form, { origin: "https://evil.example" }))
    await refused(await visitor.post("/organization", twice))
    await refused(await visitor.post("/organization", changed({ decision: "" })))
    await refused(await visitor.post("/organization", changed({ state: `${state.slice(0, -2)}AA` })))
    await refused(await visitor.post("/organization", changed({ state: "" })))
    await refused(await visitor.post("/organization", form, { "content-type": "text/plain" }), 415)
    // A state of the sign-in is none of the choice, and the other way round.
    await refused(await visitor.get("/callback", { state, code: "user_ada" }))
    assert.strictEqual(kv.calls.length, before)
    await refused(await new Visitor(handler).post("/organization", form))
    wait(601)
    await refused(await visitor.post("/organization", form))
    assert.deepStrictEqual(await grantedFor(), [])
  })

  it("tells whoever loads its address that there is nothing to choose", async () => {
    const answer = await testApp().visitor.get("/organization")
    assert.strictEqual(answer.status, 404)
    assert.include(await answer.text(), "Go back to your app")
  })

  it("holds nothing of the person in the page's form, and nothing readable in the store", async () => {
    const { kv, log, signIn } = await atClerk()
    const text = await pageOf(await signIn())
    assert.deepStrictEqual([...formOf(text).keys()].toSorted(), ["organization", "state"])
    for (const part of ["user_ada", "ada@example.com", "org_acme"]) {
      assert.notInclude(JSON.stringify(kv.dump()), part)
      assert.notInclude(log.join("\n"), part)
    }
  })
})

describe("a connection for an organization", () => {
  const connected = async () => {
    const scene = await atClerk()
    const { clientId, handler, signIn, visitor } = scene
    const back = locationOf(await visitor.choose(await signIn(), "org_globex"))
    const tokens = await jsonOf(await visitor.redeem(clientId, back.searchParams.get("code") ?? ""))
    const token = String(tokens["access_token"])
    const call = async () => {
      const headers = { authorization: `Bearer ${token}`, host: "mcp.example.com" }
      return (await handler(new Request("https://mcp.example.com/mcp", { headers }))).status
    }
    const refresh = async () => {
      const refresh_token = String(tokens["refresh_token"])
      const answer = await visitor.token({ grant_type: "refresh_token", client_id: clientId, refresh_token })
      return [answer.status, (await jsonOf(answer))["error"]]
    }
    return { ...scene, call, refresh, token }
  }

  it("ends with the first call after the person has left it", async () => {
    const { accounts, call, clerk, grantedFor, refresh, wait } = await connected()
    assert.notStrictEqual(await call(), 401)
    clerk.users.set("user_ada", { organizations: [acme] })
    wait(61)
    assert.strictEqual(await call(), 401)
    assert.deepStrictEqual(await grantedFor(), [])
    assert.match(accounts.ended.join(), /^user_ada [^,]+$/u)
    assert.deepStrictEqual(await refresh(), [400, "invalid_grant"])
  })

  it("waits while Clerk does not tell memberships, is refused in words, and is there afterwards", async () => {
    const { clerk, grantedFor, handler, refresh, token, wait } = await connected()
    const client = await connect(handler, token)
    const call = () => client.callTool({ name: "whoAmI", arguments: {} })
    clerk.tellsMemberships = false
    wait(61)
    assert.include(JSON.stringify(await call()), "has to correct its Clerk settings")
    assert.deepStrictEqual(await refresh(), [503, "temporarily_unavailable"])
    assert.lengthOf(await grantedFor(), 1)
    clerk.tellsMemberships = true
    wait(61)
    assert.include(JSON.stringify(await call()), "Globex")
  })
})

describe("signing in through the app", () => {
  it("proposes the organization that is open there, if the person belongs to it", async () => {
    for (const [claims, proposed] of [
      [{ o: { id: "org_globex", rol: "member" } }, "org_globex"],
      [{ org_id: "org_globex" }, "org_globex"],
      [{ org_id: "org_initech" }, "org_acme"],
      [{ org_id: null }, "org_acme"],
      [{}, "org_acme"]
    ] as const) {
      const { clerk, visitor } = testApp(throughApp)
      clerk.users.set("user_ada", { organizations: [acme, globex] })
      clerk.sessions.set("sess_ada", "user_ada")
      const state = await goToApp(visitor, await visitor.register())
      const text = await pageOf(await comeBack(visitor, { state, session_token: sessionToken(claims) }))
      assert.include(choices(text), `${proposed} *`)
    }
  })

  it("asks the app to sign in anew for another account", async () => {
    const { clerk, visitor } = testApp(throughApp)
    clerk.users.set("user_ada", { organizations: [acme, globex] })
    clerk.sessions.set("sess_ada", "user_ada")
    const state = await goToApp(visitor, await visitor.register())
    const page = await comeBack(visitor, { state, session_token: sessionToken() })
    assert.include(await page.clone().text(), "sign out of app.example.com first")
    const again = locationOf(await visitor.choose(page, undefined, "other"))
    assert.strictEqual(again.origin + again.pathname, `${appOrigin}/auth/mcp`)
    assert.strictEqual(again.searchParams.get("prompt"), "login")
  })
})
