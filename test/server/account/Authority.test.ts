import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { GrantId } from "../../../src/server/domain/Principal.ts"
import type { TestServer } from "../../../src/server/testing/TestServer.ts"
import { jsonOf, locationOf } from "../../../src/server/testing/Visitor.ts"
import { atApp, comeBack, sessionToken } from "../../support/AtApp.ts"
import { testApp } from "../../support/TestApp.ts"

const resource = "https://mcp.example.com/mcp"

/** Ada's object. */
const objectIn = ({ accounts }: Pick<TestServer, "accounts">) => accounts.namespace.getByName("user_ada")

/** The server, and a connection of Ada's to it. */
const connected = async () => {
  const app = testApp()
  const { access_token: token, clientId } = await app.visitor.signIn("user_ada")
  const grantId = GrantId.make(token.split(":")[1] ?? "")
  const admit = (change: { readonly token?: string; readonly resource?: string } = {}) =>
    objectIn(app).admit({ token, resource, ...change })
  return { ...app, token, clientId, grantId, admit, known: { userId: "user_ada", clientId } }
}

describe("an access token", () => {
  it("is admitted with its principal and what is known of the user, in one answer", async () => {
    const { accounts, admit, clientId, grantId } = await connected()
    const before = accounts.calls.get("standing")
    const admission = await admit()
    if (admission._tag !== "Admitted") return assert.fail(admission.reason)
    const { caller, expiresAt } = admission
    assert.deepEqual(caller.principal, {
      userId: caller.principal.userId,
      grantId,
      clientId: caller.principal.clientId,
      scopes: ["mcp:tools"]
    })
    assert.deepEqual([caller.principal.userId, caller.principal.clientId], ["user_ada", clientId])
    assert.strictEqual(caller.facts._tag, "Known")
    if (caller.facts._tag === "Known") assert.deepInclude(caller.facts.user, { metadata: { role: "admin" } })
    assert.approximately(expiresAt, Date.now() / 1_000 + 3_600, 5)
    assert.strictEqual(accounts.calls.get("standing"), before)
  })

  it("notes the use of its grant once a minute, and writes nothing else", async () => {
    const { accounts, admit, wait, grantId } = await connected()
    const usedAt = async () => (await accounts.namespace.getByName("user_ada").grants())[0]?.usedAt ?? 0
    await admit()
    const first = await usedAt()
    const written = async () => (await accounts.recordsOf("user_ada")).filter((key) => key !== "clerk")
    const keys = await written()
    assert.include(keys, `use:${grantId}`)
    wait(30)
    await admit()
    assert.strictEqual(await usedAt(), first)
    wait(31)
    await admit()
    assert.approximately((await usedAt()) - first, 61_000, 1_000)
    assert.deepEqual(await written(), keys)
  })

  it("is refused for another resource, and once it has expired, with whose it was", async () => {
    const server = await connected()
    const { accounts, admit, known } = server
    const elsewhere = await admit({ resource: "https://mcp.example.com/sse" })
    assert.deepEqual(elsewhere, { _tag: "NotAdmitted", reason: "made for another resource", known } as typeof elsewhere)
    const stored = (await accounts.dump("user_ada")).find((record) => record.key.startsWith("token:"))
    const { key, value } = stored ?? assert.fail("no token")
    const expiresAt = Math.floor(Date.now() / 1_000) - 1
    await objectIn(server).keep(key, JSON.stringify({ ...JSON.parse(value), expiresAt }), null)
    const expired = await admit()
    assert.deepEqual(expired, { _tag: "NotAdmitted", reason: "expired", known } as typeof expired)
  })

  it("is refused when its time has come, whoever asks", async () => {
    const { admit, wait } = await connected()
    wait(3_601)
    const gone = await admit()
    assert.deepEqual(gone, { _tag: "NotAdmitted", reason: "unknown, of a connection that stands" })
  })

  it("is refused while the account is closed, and good again when it is opened", async () => {
    const { admit, clerk, known, wait } = await connected()
    clerk.users.set("user_ada", { banned: true })
    wait(61)
    const closed = await admit()
    assert.deepEqual(closed, { _tag: "NotAdmitted", reason: "account closed", known } as typeof closed)
    clerk.users.set("user_ada", {})
    wait(61)
    assert.strictEqual((await admit())._tag, "Admitted")
  })

  it("is told apart by whether its connection stands", async () => {
    const server = await connected()
    const { admit, grantId, token } = server
    assert.deepEqual(await admit({ token: `${token}x` }), {
      _tag: "NotAdmitted",
      reason: "unknown, of a connection that stands"
    })
    await objectIn(server).end(grantId)
    for (const gone of [token, "user_ada:nothing:secret", "nonsense"]) {
      assert.deepEqual(await admit({ token: gone }), {
        _tag: "NotAdmitted",
        reason: "unknown, of a connection that was ended, or never was"
      })
    }
  })

  it("of somebody that was never here is refused, and leaves nothing", async () => {
    const { accounts } = testApp()
    const admission = await accounts.namespace.getByName("user_nobody").admit({ token: "user_nobody:a:b", resource })
    assert.strictEqual(admission._tag, "NotAdmitted")
    assert.isEmpty(await accounts.recordsOf("user_nobody"))
  })

  it("leaves nothing of what Clerk says of somebody without a grant, nor does a refresh or the end of a grant", async () => {
    const app = testApp()
    const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: "user_ada:made:up" })
    assert.strictEqual((await objectIn(app).standing())._tag, "Said")
    await objectIn(app).token({ headers: [], form: form.toString() })
    await objectIn(app).end(GrantId.make("made"))
    assert.deepEqual(await app.accounts.recordsOf("user_ada"), [])
  })
})

describe("the end of a grant", () => {
  it("takes all of its records, and nothing of another one's, and is told once", async () => {
    const server = await connected()
    const { accounts, admit, grantId, visitor } = server
    const other = await visitor.signIn("user_ada")
    await admit()
    await objectIn(server).end(grantId)
    await objectIn(server).end(grantId)
    assert.notInclude((await accounts.recordsOf("user_ada")).join(), grantId)
    assert.deepEqual(accounts.ended, [`user_ada ${grantId}`])
    assert.strictEqual((await objectIn(server).admit({ token: other.access_token, resource }))._tag, "Admitted")
  })

  it("counts for a call whose token was checked before, and leaves nothing of the call", async () => {
    const server = await connected()
    const { accounts, admit, clerk, grantId, wait } = server
    wait(61)
    let goOn = () => {}
    const gate = new Promise<void>((resolve) => (goOn = resolve))
    const asked = new Promise<void>((resolve) => {
      clerk.latency = Effect.promise(() => {
        resolve()
        return gate
      })
    })
    const admission = admit()
    await asked
    await objectIn(server).end(grantId)
    goOn()
    assert.strictEqual((await admission)._tag, "NotAdmitted")
    assert.notInclude((await accounts.recordsOf("user_ada")).join(), grantId)
  })

  it("comes with the first call after the Clerk session has ended", async () => {
    const app = await atApp()
    const back = locationOf(await comeBack(app.visitor, { state: app.state, session_token: sessionToken() }))
    const answer = await jsonOf(await app.visitor.redeem(app.clientId, back.searchParams.get("code") ?? ""))
    const token = String(answer["access_token"])
    app.clerk.sessions.clear()
    app.wait(61)
    const reasons = []
    for (let calls = 0; calls < 2; calls++) {
      const admission = await objectIn(app).admit({ token, resource })
      reasons.push(admission._tag === "NotAdmitted" && admission.reason)
    }
    assert.deepEqual(reasons, ["session ended", "unknown, of a connection that was ended, or never was"])
    assert.lengthOf(app.accounts.ended, 1)
  })
})
