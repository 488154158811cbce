import { assert, describe, it } from "@effect/vitest"
import * as Layer from "effect/Layer"

import * as Log from "../../../src/server/observability/Log.ts"
import { testServer } from "../../../src/server/testing/TestServer.ts"
import type { Settings } from "../../support/TestConfig.ts"
import { type Delivery, delivery, eventOf, signatureOf, webhookSecret } from "../../support/SignedWebhook.ts"
import { testApp } from "../../support/TestApp.ts"
import fixture from "../fixture/worker.ts"

const email = "jane.doe@acme.com"
const user = { object: "user", id: "user_ada", banned: true, email_addresses: [{ email_address: email }] }
const updated = eventOf("user.updated", user)

const app = (settings: Settings = { CLERK_WEBHOOK_SECRET: webhookSecret }) => {
  // Each server says for itself what it says only once.
  const outside = Layer.succeed(Log.Said, new Set<string>())
  const { accounts, handler, log } = testServer(fixture, { settings: { FIXTURE_COLOUR: "red", ...settings }, outside })
  return {
    accounts,
    log,
    handler,
    /** The status of the answer to a delivery. */
    deliver: async (event: unknown, how?: Delivery) => (await handler(await delivery(event, how))).status
  }
}

const now = () => Math.floor(Date.now() / 1_000)

const otherSecret = `whsec_${Buffer.alloc(24, 6).toString("base64")}`

/** What stays good of a delivery, by its time, is good for 300 s either way. */
const inTime = [-295, -60, 0, 60, 295]
const outOfTime = [-86_400, -3_600, -305, 305, 3_600, 86_400]

describe("/webhooks/clerk", () => {
  it("hands an event to the object of its user, and leaves one line in the log, without anything personal", async () => {
    const { accounts, deliver, log } = app()
    assert.strictEqual(await deliver(updated, { id: "msg_1" }), 204)
    assert.deepEqual(accounts.webhooks, ["user_ada msg_1"])
    assert.lengthOf(log, 1)
    const { message, annotations } = JSON.parse(log[0] ?? "")
    assert.strictEqual(message, "A webhook of Clerk was taken on")
    assert.deepEqual(annotations, { type: "user.updated", event: "msg_1", userId: "user_ada" })
  })

  it("hands on who it is about, and nothing of what it says: that it comes late or twice does no harm", async () => {
    const { accounts, deliver } = app()
    const member = { id: "orgmem_1", role: "org:admin", public_user_data: { user_id: "user_mina", identifier: email } }
    const session = { object: "session", id: "sess_1", user_id: "user_mina", status: "active" }
    const events: ReadonlyArray<readonly [type: string, data: object, told: ReadonlyArray<string>]> = [
      ["user.deleted", { object: "user", id: "user_ada", deleted: true }, ["user_ada"]],
      ["user.created", user, ["user_ada"]],
      ["organizationMembership.deleted", member, ["user_mina"]],
      ["organizationMembership.created", member, ["user_mina"]],
      ["organizationMembership.updated", member, ["user_mina"]],
      ["session.ended", session, ["user_mina"]],
      ["session.removed", session, ["user_mina"]],
      ["session.revoked", session, ["user_mina"]],
      ["session.created", session, []],
      ["session.pending", session, []],
      ["organization.updated", { id: "org_acme", name: "Acme" }, ["org_acme"]],
      ["organization.deleted", { id: "org_acme", deleted: true }, ["org_acme"]],
      ["organization.created", { id: "org_acme", name: "Acme" }, []],
      ["role.created", { id: "role_1", key: "org:editor" }, ["all"]],
      ["role.updated", { id: "role_1", key: "org:editor" }, ["all"]],
      ["role.deleted", { id: "role_1", deleted: true }, ["all"]],
      ["permission.created", { id: "perm_1" }, ["all"]],
      ["permission.updated", { id: "perm_1" }, ["all"]],
      ["permission.deleted", { id: "perm_1", deleted: true }, ["all"]]
    ]
    for (const [index, [type, data, told]] of events.entries()) {
      accounts.webhooks.length = 0
      for (let times = 0; times < 2; times++) {
        assert.strictEqual(await deliver(eventOf(type, data), { id: `msg_${index}` }), 204, type)
      }
      assert.deepEqual(
        accounts.webhooks,
        [...told, ...told].map((who) => `${who} msg_${index}`),
        type
      )
    }
    assert.deepEqual([accounts.ended, accounts.told], [[], []])
  })

  it("accepts events of types that it does not know, and does nothing", async () => {
    const { accounts, deliver, log } = app()
    const types = ["email.created", "paymentAttempt.updated", "users.updated", "session", "", "user", "__proto__"]
    for (const type of types) assert.strictEqual(await deliver(eventOf(type, user)), 204, type)
    for (const odd of [
      "null",
      "7",
      '"text"',
      "[]",
      "{}",
      '{"type":7}',
      '{"type":"role.created"}'.replace("role", "x")
    ]) {
      assert.strictEqual(await deliver(odd), 204, odd)
    }
    assert.deepEqual([accounts.webhooks, log], [[], []])
  })

  it("accepts events in a form that Clerk does not document, does nothing, and says so once for each type", async () => {
    const { accounts, deliver, log } = app()
    const odd = [null, {}, { id: 7 }, { id: "user_a:b" }, { id: "organizations" }, { id: ["user_ada"] }, []]
    for (const data of odd) {
      assert.strictEqual(await deliver({ ...updated, data }), 204)
      assert.strictEqual(await deliver({ ...updated, type: "organizationMembership.deleted", data }), 204)
    }
    assert.deepEqual(accounts.webhooks, [])
    assert.lengthOf(log, 2)
    assert.include(log[0], "unexpected form")
  })

  it("refuses what Clerk has not signed, with the same words each time", async () => {
    const { accounts, handler, log } = app()
    const body = JSON.stringify(updated)
    const time = now()
    const empty = await signatureOf("whsec_AAAA", `msg_1.${time}.${body}`)
    const good = await signatureOf(webhookSecret, `msg_1.${time}.${body}`)
    const forgeries: ReadonlyArray<Delivery> = [
      { secret: otherSecret },
      { signedAs: `msg_1.${time}.${JSON.stringify(eventOf("user.updated", { ...user, id: "user_mina" }))}` },
      { signedAs: `msg_2.${time}.${body}` },
      { signedAs: `msg_1.${time - 1}.${body}` },
      { signedAs: body },
      { signedAs: `msg_1.${time}.` },
      ...["svix-id", "svix-timestamp", "svix-signature"].flatMap((name) =>
        [undefined, "", " ", "x y", "é".normalize("NFC")].map((value) => ({ headers: { [name]: value } }))
      ),
      ...[
        `v2,${good}`,
        `v1a,${good}`,
        good,
        `v1,${good.slice(0, -4)}`,
        `v1,${good}AAAA`,
        `v1,${good.toLowerCase()}`,
        `v1,${empty}`,
        "v1,",
        "v1,====",
        `v1, ${good}`,
        `V1,${good}`,
        "v1,AAAA ".repeat(600)
      ].map((signature) => ({ headers: { "svix-signature": signature } }))
    ]
    const said = new Set<string>()
    for (const forgery of forgeries) {
      const answer = await handler(await delivery(body, { id: "msg_1", time, ...forgery }))
      assert.strictEqual(answer.status, 401, JSON.stringify(forgery))
      said.add(await answer.text())
    }
    assert.strictEqual(said.size, 1)
    assert.deepEqual(accounts.webhooks, [])
    assert.isAtMost(log.length, 10)
    assert.notInclude(log.join("\n"), "user_")
  })

  it("accepts what is signed with two secrets, the old one and the new one, in any order", async () => {
    const { accounts, deliver } = app()
    const time = now()
    const text = (id: string) => `${id}.${time}.${JSON.stringify(updated)}`
    const [good, other] = [
      await signatureOf(webhookSecret, text("msg_1")),
      await signatureOf(otherSecret, text("msg_1"))
    ]
    for (const signatures of [`v1,${good} v1,${other}`, `v1,${other} v1,${good}`, `v1a,${other} v1,${good}`]) {
      assert.strictEqual(await deliver(updated, { id: "msg_1", time, headers: { "svix-signature": signatures } }), 204)
    }
    assert.lengthOf(accounts.webhooks, 3)
    const many = `${`v1,${other} `.repeat(20)}v1,${good}`
    assert.strictEqual(await deliver(updated, { id: "msg_1", time, headers: { "svix-signature": many } }), 401)
  })

  it("refuses what was signed more than five minutes ago, or for later", async () => {
    const { accounts, deliver } = app()
    for (const seconds of inTime)
      assert.strictEqual(await deliver(updated, { time: now() + seconds }), 204, `${seconds}`)
    accounts.webhooks.length = 0
    for (const seconds of outOfTime) {
      assert.strictEqual(await deliver(updated, { time: now() + seconds }), 401, `${seconds}`)
    }
    for (const odd of ["NaN", "Infinity", "-1", `${now()}.5`, `${now()}x`, `+${now()}`, "0x6743", `${now()}000`]) {
      assert.strictEqual(await deliver(updated, { time: odd }), 401, odd)
    }
    assert.deepEqual(accounts.webhooks, [])
  })

  it("refuses a delivery that waited, by the clock of the server", async () => {
    const { handler, wait } = testApp({ CLERK_WEBHOOK_SECRET: webhookSecret })
    const [first, second] = [await delivery(updated), await delivery(updated)]
    assert.strictEqual((await handler(first)).status, 204)
    wait(310)
    assert.strictEqual((await handler(second)).status, 401)
  })

  it("refuses 1 MB before it is read, whether or not its length was told", async () => {
    const { accounts, deliver, handler } = app()
    const long = JSON.stringify({ ...updated, padding: "x".repeat(1_000_000) })
    assert.strictEqual(await deliver(long), 413)
    let pulled = 0
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled += 65_536
        controller.enqueue(new Uint8Array(65_536))
        if (pulled > 10_000_000) controller.close()
      }
    })
    const { headers } = await delivery(updated)
    const request = new Request("https://mcp.example.com/webhooks/clerk", {
      method: "POST",
      headers,
      body,
      duplex: "half"
    } as RequestInit)
    assert.strictEqual((await handler(request)).status, 413)
    assert.isBelow(pulled, 600_000)
    assert.deepEqual(accounts.webhooks, [])
    assert.strictEqual(await deliver({ ...updated, padding: "x".repeat(200_000) }), 204)
  })

  it("refuses what is no JSON, though it is signed", async () => {
    const { accounts, deliver, log } = app()
    for (const broken of ["", "{", "user_ada", '{"type":"user.updated"', `${"[".repeat(200)}${"]".repeat(200)}`]) {
      assert.strictEqual(await deliver(broken), 400, broken)
    }
    assert.deepEqual([accounts.webhooks, log], [[], []])
  })

  it("takes a POST of JSON only", async () => {
    const { accounts, handler } = app()
    const url = "https://mcp.example.com/webhooks/clerk"
    for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]) {
      const answer = await handler(new Request(url, { method }))
      assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST"], method)
    }
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "", undefined]) {
      const answer = await handler(await delivery(updated, { headers: { "content-type": type } }))
      assert.strictEqual(answer.status, 415, type)
    }
    assert.deepEqual(accounts.webhooks, [])
  })

  it("has Svix deliver again what could not be taken on, and takes it on then", async () => {
    const { accounts, handler, log } = app()
    for (const event of [updated, eventOf("role.updated", { id: "role_1" })]) {
      accounts.failures = 6
      const refused = await handler(await delivery(event, { id: "msg_1" }))
      assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"])
      assert.notInclude(await refused.text(), "internal detail")
      assert.include(log.at(-1), "could not be taken on")
      assert.notInclude(log.join("\n"), "internal detail")
      assert.strictEqual((await handler(await delivery(event, { id: "msg_1" }))).status, 204)
    }
    assert.deepEqual(accounts.webhooks, ["user_ada msg_1", "all msg_1"])
  })

  it.each(["on one server", "on another"])(
    "says %s that its secret is missing: in the answer, and in the log once",
    async () => {
      const { accounts, deliver, handler, log } = app({})
      assert.strictEqual(await deliver(updated), 501)
      const answer = await handler(await delivery(updated))
      assert.deepEqual(await answer.json(), { error: "CLERK_WEBHOOK_SECRET is not set" })
      assert.deepEqual(accounts.webhooks, [])
      assert.lengthOf(log, 1)
      assert.include(log[0], "CLERK_WEBHOOK_SECRET is not set")
    }
  )

  it("has the role of somebody who was looked at before count at the next call", async () => {
    const server = testApp({ CLERK_WEBHOOK_SECRET: webhookSecret })
    const client = await server.visitor.signIn("user_ada")
    const tools = async () => {
      const body = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} }
      const headers = { authorization: `Bearer ${client.access_token}`, "content-type": "application/json" }
      const request = new Request("https://mcp.example.com/mcp", {
        method: "POST",
        headers: { ...headers, host: "mcp.example.com", accept: "application/json, text/event-stream" },
        body: JSON.stringify(body)
      })
      return (await server.handler(request)).text()
    }
    await tools()
    const before = server.clerk.calls
    await tools()
    assert.strictEqual(server.clerk.calls, before)
    await server.handler(await delivery(updated))
    await tools()
    assert.strictEqual(server.clerk.calls, before + 1)
    // Nobody has asked about Mina yet, so nobody asks Clerk about her now.
    await server.handler(await delivery(eventOf("user.updated", { id: "user_mina" })))
    assert.strictEqual(server.clerk.calls, before + 1)
  })
})
