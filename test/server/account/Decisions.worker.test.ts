import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { assert, describe, it } from "vitest"

import { limits } from "../../../src/server/account/DecisionRows.ts"
import type { UserId } from "../../../src/server/domain/Principal.ts"
import { decided } from "../../support/Decided.ts"
import {
  accountClosed,
  call,
  freshUser,
  grantEnded,
  identityOf,
  messagesOf,
  reading,
  request,
  Session,
  stubOf,
  until
} from "../../support/sessions/Sessions.ts"
import { clerk } from "../../support/sessions/Worker.ts"

const note = "a very private note"
const withNote = { arguments: { note } }

/** What was decided for a user, in order: the fields that tell. */
const decisionsOf = async (userId: UserId) =>
  (await stubOf(userId).decisions({ limit: 100 }))
    .toReversed()
    .map(({ method, name, policy, lacked, outcome }) => [method, name, policy, lacked.join(), outcome].join(" "))

const opened = async () => {
  const session = await Session.open(identityOf(freshUser()))
  const { userId } = session.principal
  let id = 0
  /** Sends a request, waits for the end of its answer, and tells what was decided meanwhile. */
  const decided = async (method: string, params: object = {}) => {
    const before = (await decisionsOf(userId)).length
    await (await session.post(request(++id, method, params))).text()
    return (await decisionsOf(userId)).slice(before)
  }
  return { session, userId, decided }
}

const tool = (name: string) => ["tools/call", { name, ...withNote }] as const

describe("in a session, one decision is stored", () => {
  it("for a call that is allowed, fails as declared, breaks, is refused, or lacks a scope", async () => {
    const { decided } = await opened()
    assert.deepEqual(await decided(...tool("works")), ["tools/call works allowed  completed"])
    assert.deepEqual(await decided(...tool("declines")), ["tools/call declines allowed  tool error"])
    assert.deepEqual(await decided(...tool("breaks")), ["tools/call breaks allowed  defect"])
    assert.deepEqual(await decided(...tool("reigns")), ["tools/call reigns forbidden role king,role queen refused"])
    assert.deepEqual(await decided(...tool("costs")), ["tools/call costs missing scopes scope paint:use refused"])
    assert.deepEqual(await decided(...tool("nothing")), [])
    assert.deepEqual(await decided("ping"), [])
  })

  it("for resources, prompts, completions and lists", async () => {
    const { decided } = await opened()
    const ref = { type: "ref/prompt", name: "speech" }
    const kinds = [
      ["resources/read", "text", { uri: "test://text" }],
      ["resources/read", "letter", { uri: "test://letter/Emma" }],
      ["prompts/get", "speech", { name: "speech", arguments: { on: note } }],
      ["completion/complete", "speech", { ref, argument: { name: "on", value: "" } }],
      ["tools/list", "", {}],
      ["resources/list", "", {}],
      ["resources/templates/list", "", {}],
      ["prompts/list", "", {}]
    ] as const
    for (const [method, name, params] of kinds) {
      assert.deepEqual(await decided(method, params), [`${method} ${name} allowed  completed`])
    }
    assert.deepEqual(await decided("prompts/get", { name: "secret", arguments: { on: note } }), [
      "prompts/get secret forbidden role king refused"
    ])
  })

  it("for a call that asks within it, once it was answered", async () => {
    const { session, userId } = await opened()
    const stream = reading(await session.post(call(1, "asks", withNote)))
    const { message } = await stream.event(({ method }) => method === "elicitation/create")
    assert.deepEqual(await decisionsOf(userId), [])
    await session.post({ jsonrpc: "2.0", id: message.id, result: { action: "accept", content: { word: note } } })
    await stream.end()
    assert.deepEqual(await decisionsOf(userId), ["tools/call asks allowed  completed"])
  })

  it("for a call that is cancelled, also while it waits for an answer", async () => {
    for (const name of ["hangs", "asks"]) {
      const { session, userId } = await opened()
      const stream = reading(await session.post(call(1, name, withNote)))
      if (name === "asks") await stream.event(({ method }) => method === "elicitation/create")
      await session.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } })
      await stream.end()
      assert.deepEqual(await decisionsOf(userId), [`tools/call ${name} allowed  cancelled`])
    }
  })

  it("for a call whose grant ends while it waits for an answer", async () => {
    const { session, userId } = await opened()
    const stream = reading(await session.post(call(1, "asks", withNote)))
    await stream.event(({ method }) => method === "elicitation/create")
    await session.stub.hear(grantEnded(userId, session.principal.grantId))
    await until(async () => (await decisionsOf(userId)).length === 1)
    assert.deepEqual(await decisionsOf(userId), ["tools/call asks allowed  cancelled"])
    await stream.end()
  })

  it("for what nobody can judge, and none for whom Clerk no longer knows, whose token is no good", async () => {
    const [unknown, closed] = [freshUser(), freshUser()]
    clerk.down.add(unknown)
    const session = await Session.open(identityOf(unknown))
    await messagesOf(await session.post(call(1, "works", withNote)))
    assert.deepEqual(await decisionsOf(unknown), ["tools/call works unknown  refused"])
    clerk.deleted.add(closed)
    assert.strictEqual((await new Session(identityOf(closed)).post(call(1, "works"))).status, 401)
    assert.deepEqual(await decisionsOf(closed), [])
  })

  it("for each message of a batch", async () => {
    const session = await Session.open(identityOf(freshUser()), "2025-03-26")
    const { userId } = session.principal
    await messagesOf(await session.post([call(1, "works"), call(2, "declines"), request(3, "tools/list")]))
    assert.sameMembers(await decisionsOf(userId), [
      "tools/call works allowed  completed",
      "tools/call declines allowed  tool error",
      "tools/list  allowed  completed"
    ])
  })
})

describe("the decisions of a user", () => {
  const now = () => Date.now()
  const many = (from: number, count: number, time = now()) =>
    Array.from({ length: count }, (_, index) => decided({ time, reference: `R${from + index}` }))
  const referencesOf = async (userId: UserId, limit = 1_000) =>
    (await stubOf(userId).decisions({ limit })).map(({ reference }) => reference)
  const stored = (userId: UserId) =>
    runInDurableObject(
      stubOf(userId),
      (_, { storage }) => storage.sql.exec("SELECT count(*) AS rows FROM decisions").one()["rows"]
    )

  it("hold neither arguments nor anything else of a person", async () => {
    const { decided, userId } = await opened()
    await decided("prompts/get", { name: "speech", arguments: { on: note } })
    await decided("resources/read", { uri: `test://letter/${encodeURIComponent(note)}` })
    const rows = await runInDurableObject(stubOf(userId), (_, { storage }) =>
      JSON.stringify(storage.sql.exec("SELECT * FROM decisions").toArray())
    )
    assert.lengthOf(JSON.parse(rows), 2)
    for (const personal of [note, encodeURIComponent(note), "Ada"]) assert.notInclude(rows, personal)
  })

  it("are the newest 500, found by reference and newest first", async () => {
    const user = freshUser()
    for (let from = 0; from < 700; from += 100) await stubOf(user).record(many(from, 100, now() + from))
    assert.strictEqual(await stored(user), limits.rows)
    const references = await referencesOf(user)
    assert.lengthOf(references, limits.rows)
    assert.deepEqual([references[0], references.at(-1)], ["R699", "R200"])
    assert.deepEqual(await referencesOf(user, 2), ["R699", "R698"])
    const found = await stubOf(user).decisions({ limit: 1, reference: "R300" })
    assert.deepEqual(
      found.map(({ reference }) => reference),
      ["R300"]
    )
    assert.lengthOf(await stubOf(user).decisions({ limit: 1, reference: "R100" }), 0)
  })

  it("are stored once, however often they are delivered", async () => {
    const user = freshUser()
    for (let time = 0; time < 3; time++) await stubOf(user).record(many(0, 3))
    assert.strictEqual(await stored(user), 3)
  })

  it("stand beside what operators did, which is no decision", async () => {
    const user = freshUser()
    const looked = {
      time: now() + 10,
      userId: user,
      by: freshUser(),
      did: { _tag: "Looked" },
      reference: "LOOK2222"
    } as const
    await stubOf(user).record([...many(0, 2), looked, looked])
    assert.deepEqual(await referencesOf(user), ["R1", "R0"])
    assert.lengthOf(await stubOf(user).decisions({ limit: 1, reference: "LOOK2222" }), 0)
    const newest = await stubOf(user).newest(2)
    assert.deepEqual(
      newest.map(({ reference }) => reference),
      ["LOOK2222", "R1"]
    )
    assert.deepEqual({ ...newest[0] }, looked)
  })

  it("go after 30 days, by an alarm", async () => {
    const user = freshUser()
    await stubOf(user).record([...many(0, 3, now() - limits.age), ...many(3, 2, now() - limits.age + 600_000)])
    assert.deepEqual(await referencesOf(user), ["R4", "R3"])
    await until(() => runDurableObjectAlarm(stubOf(user)))
    assert.strictEqual(await stored(user), 2)
  })

  it("are erased with everything else of a user who was deleted", async () => {
    const user = freshUser()
    await stubOf(user).record(many(0, 3))
    clerk.deleted.add(user)
    await stubOf(user).hear(accountClosed(user, true))
    await runDurableObjectAlarm(stubOf(user))
    assert.strictEqual(await stored(user), 0)
  })
})
