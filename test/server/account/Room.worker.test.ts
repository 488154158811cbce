import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import { assert, describe, it } from "vitest"

import { closing, limits } from "../../../src/server/account/Session.ts"
import type { UserId } from "../../../src/server/domain/Principal.ts"
import {
  call,
  freshUser,
  grantEnded,
  identityOf,
  initialize,
  messagesOf,
  reading,
  request,
  stubOf,
  until,
  Session
} from "../../support/sessions/Sessions.ts"

const client = "the client"
const identityUnder = (user: UserId, grant: string, scopes?: Array<string>) => identityOf(user, grant, scopes, client)

/** Gives a user so many sessions more, of so many clients, each left alone for a second longer than the one before. */
const fill = ({ stub, principal }: Session, count: number, clients: ReadonlyArray<string> = [principal.clientId]) =>
  runInDurableObject(stub, (_, { storage }) => {
    for (let row = 1; row <= count; row++) {
      storage.sql.exec(
        `INSERT INTO sessions (id, client_id, grant_id, wire, initialize, used_at)
          SELECT printf('%032x', ?1), ?2, grant_id, wire, initialize, used_at - 60000 - ?1 * 1000 FROM sessions LIMIT 1`,
        row,
        clients[row % clients.length] ?? ""
      )
    }
  })

const known = async (by: Session, row: number) => {
  const session = new Session(by.principal, "streamable", row.toString(16).padStart(32, "0"))
  return (await session.post({ jsonrpc: "2.0", method: "notifications/initialized" })).status === 202
}

const countOf = ({ stub }: Session) =>
  runInDurableObject(stub, (_, { storage }) =>
    Number(storage.sql.exec("SELECT count(*) AS n FROM sessions").one()["n"])
  )

describe("a further session", () => {
  it("takes the place of the one that its client left alone the longest", async () => {
    const session = await Session.open(identityOf(freshUser()))
    await fill(session, limits.sessionsPerClient - 1)
    for (let opened = 0; opened < 2; opened++) await Session.open(session.principal)
    assert.strictEqual(await countOf(session), limits.sessionsPerClient)
    const [longest, second, third] = [511, 510, 509]
    assert.deepEqual(
      [await known(session, longest), await known(session, second), await known(session, third)],
      [false, false, true]
    )
    assert.lengthOf(await messagesOf(await session.post(request(1, "ping"))), 1)
  })

  it("takes the place of one of any client where the user has as many as may be, on /sse as well", async () => {
    const session = await Session.open(identityOf(freshUser()))
    await fill(session, limits.sessions - 1, ["one", "two", "three"])
    await Session.open(session.principal)
    assert.strictEqual((await new Session(session.principal, "sse").listen()).status, 101)
    assert.strictEqual(await countOf(session), limits.sessions)
    const ids = await runInDurableObject(session.stub, (_, { storage }) =>
      storage.sql.exec("SELECT id FROM sessions ORDER BY used_at LIMIT 1").toArray()
    )
    assert.deepEqual(ids, [{ id: (1_021).toString(16).padStart(32, "0") }])
  })

  it("takes none that is at work, was used a moment ago, or has a stream while others have none", async () => {
    const user = freshUser()
    const kept = await Promise.all([1, 2, 3, 4].map(() => Session.open(identityOf(user))))
    const [busy, asking, listening, used] = kept
    await fill(busy!, limits.sessionsPerClient - kept.length)
    const neglect = (sessions: ReadonlyArray<Session>) =>
      runInDurableObject(stubOf(user), (_, { storage }) => {
        storage.sql.exec("UPDATE sessions SET used_at = ?", Date.now() - 20_000)
        for (const { id } of sessions) {
          storage.sql.exec("UPDATE sessions SET used_at = ? WHERE id = ?", Date.now() - 50_000, id)
        }
      })
    const working = await busy!.post(call(1, "hang"))
    const question = reading(await asking!.post(call(1, "question")))
    await question.event((message) => message?.method === "elicitation/create")
    const stream = await listening!.stream()
    await Session.open(busy!.principal)
    await neglect(kept)
    await messagesOf(await used!.post(request(1, "ping")))
    for (let opened = 0; opened < 4; opened++) await Session.open(busy!.principal)
    assert.strictEqual(await countOf(busy!), limits.sessionsPerClient)
    assert.isUndefined(stream.state.closed)
    for (const session of kept) {
      assert.strictEqual((await session.post({ jsonrpc: "2.0", method: "notifications/initialized" })).status, 202)
    }
    await Promise.all([busy!.remove(), asking!.remove()])
    await Promise.all([working.text(), question.end()])
    stream.webSocket.close(1000)
  })
})

describe("a session that its client uses under a new grant", () => {
  it("does what the new token may, and goes on when the old grant ends, but not on a stream of that", async () => {
    const user = freshUser()
    const [before, after] = [identityUnder(user, "g1"), identityUnder(user, "g2", ["mcp:tools", "paint:use"])]
    const session = await Session.open(before)
    const { state } = await session.stream()
    assert.strictEqual((await session.post(call(1, "costly"))).status, 403)
    const anew = session.as(after)
    const [called] = await messagesOf(await anew.post(call(2, "costly")))
    assert.deepEqual(called.result.structuredContent, { text: "costly" })
    await stubOf(user).hear(grantEnded(user, before.grantId))
    assert.strictEqual((await session.post(call(3, "echo"))).status, 401)
    await until(() => state.closed === closing.ended)
    assert.lengthOf(await messagesOf(await anew.post(call(4, "echo"))), 1)
    const further = await anew.stream()
    await stubOf(user).hear(grantEnded(user, before.grantId))
    assert.lengthOf(await messagesOf(await anew.post(call(6, "echo"))), 1)
    assert.isUndefined(further.state.closed)
    await stubOf(user).hear(grantEnded(user, after.grantId))
    await until(() => further.state.closed === closing.ended)
    assert.strictEqual((await anew.post(call(5, "echo"))).status, 401)
  })

  it("is not the old grant's again because the Worker dials for a stream that was opened under it", async () => {
    const user = freshUser()
    const session = await Session.open(identityUnder(user, "g1"))
    const anew = session.as(identityUnder(user, "g2"))
    await messagesOf(await anew.post(request(1, "ping")))
    await stubOf(user).hear(grantEnded(user, session.principal.grantId))
    assert.strictEqual((await session.listen(undefined, true)).status, 401)
    assert.lengthOf(await messagesOf(await anew.post(request(2, "ping"))), 1)
  })

  it("tells nothing on the /sse stream of a grant that has ended", async () => {
    const user = freshUser()
    const session = new Session(identityUnder(user, "g1"), "sse")
    const { id, frames, state } = await session.stream()
    session.id = id
    await session.post(initialize("2024-11-05"))
    const anew = session.as(identityUnder(user, "g2"))
    assert.strictEqual((await anew.post(call(1, "echo"))).status, 202)
    await until(() => frames.some(({ message }) => message?.id === 1))
    await stubOf(user).hear(grantEnded(user, session.principal.grantId))
    await until(() => state.closed === closing.ended)
    assert.strictEqual((await anew.post(call(2, "echo"))).status, 404)
  })

  it("ends at once what waits for an answer under the old one, which the new one cannot give", async () => {
    const user = freshUser()
    const session = await Session.open(identityUnder(user, "g1"))
    const asked = reading(await session.post(call(1, "question")))
    const { message: question } = await asked.event((message) => message?.method === "elicitation/create")
    const anew = session.as(identityUnder(user, "g2"))
    await messagesOf(await anew.post(request(2, "ping")))
    await stubOf(user).hear(grantEnded(user, session.principal.grantId))
    const answer = { jsonrpc: "2.0", id: question.id, result: { action: "accept", content: { word: "late" } } }
    assert.strictEqual((await anew.post(answer)).status, 400)
  })

  it("ends what was asked under the old one with it, once that had 5 s", async () => {
    const user = freshUser()
    const session = await Session.open(identityUnder(user, "g1"))
    const hanging = await session.post(call(1, "hang"))
    const anew = session.as(identityUnder(user, "g2"))
    const other = await anew.post(call(2, "hang"))
    await stubOf(user).hear(grantEnded(user, session.principal.grantId))
    assert.deepEqual(await messagesOf(hanging), [
      { jsonrpc: "2.0", id: 1, error: { code: -32000, message: "The connection was ended" } }
    ])
    assert.lengthOf(await messagesOf(await anew.post(call(1, "echo"))), 1)
    assert.strictEqual((await anew.post(call(2, "echo"))).status, 400)
    await anew.remove()
    await other.text()
  })
})

describe("a session from before it was its client's", () => {
  it("is its grant's, and from then on the client's that uses it", async () => {
    const user = freshUser()
    const session = await Session.open(identityUnder(user, "g1"))
    await runInDurableObject(stubOf(user), (_, { storage }) => {
      storage.sql.exec("ALTER TABLE sessions DROP COLUMN client_id")
    })
    await evictDurableObject(stubOf(user))
    const later = session.as(identityUnder(user, "g2"))
    assert.strictEqual((await later.post(request(1, "ping"))).status, 404)
    assert.lengthOf(await messagesOf(await session.post(request(1, "ping"))), 1)
    assert.lengthOf(await messagesOf(await later.post(request(2, "ping"))), 1)
    assert.strictEqual((await session.as(identityOf(user, "g2")).post(request(1, "ping"))).status, 404)
    assert.strictEqual((await new Session(later.principal).post(initialize())).status, 200)
  })
})
