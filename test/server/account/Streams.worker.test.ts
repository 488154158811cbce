import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import * as Effect from "effect/Effect"
import { afterEach, assert, describe, it } from "vitest"

import { closing, limits } from "../../../src/server/account/Session.ts"
import {
  accessChanged,
  accountClosed,
  call,
  changeRole,
  connectSse,
  freshUser,
  grantEnded,
  identityOf,
  initialize,
  listChanges,
  messagesOf,
  reading,
  replace,
  request,
  stubOf,
  until,
  Session
} from "../../support/sessions/Sessions.ts"
import { clerk, ended } from "../../support/sessions/Worker.ts"

/** Reads the first event of a stream, leaves, and answers its id. */
const firstEventId = async (response: Response): Promise<string> => {
  const stream = reading(response)
  const { id } = await stream.event(() => true)
  await stream.leave()
  return id
}

describe("a session of /sse", () => {
  it("answers every message on its stream", async () => {
    const { session, answers } = await connectSse()
    assert.strictEqual((await session.post(request(1, "ping"))).status, 202)
    assert.strictEqual((await session.post(call(2, "slow", { _meta: { progressToken: "p" } }))).status, 202)
    await until(() => answers().some(({ id }) => id === 2))
    assert.deepEqual(
      answers().map(({ id, method, params }) => id ?? `${method} ${params.progress}`),
      [0, 1, ...[1, 2, 3, 4, 5, 6, 7].map((progress) => `notifications/progress ${progress}`), 2]
    )
  })

  it("goes on after an eviction", async () => {
    const { session, answers } = await connectSse()
    await evictDurableObject(session.stub)
    assert.strictEqual((await session.post(call(1, "echo"))).status, 202)
    await until(() => answers().some(({ id }) => id === 1))
  })

  it("goes on after an eviction whose client introduced itself in a batch of one", async () => {
    const { session, answers } = await connectSse([initialize("2024-11-05")])
    await evictDurableObject(session.stub)
    assert.strictEqual((await session.post(call(1, "echo"))).status, 202)
    await until(() => answers().some(({ id }) => id === 1))
  })

  it("refuses a call whose token lacks a scope with 403, before it is dispatched", async () => {
    const { session, answers } = await connectSse()
    assert.strictEqual((await session.post(call(1, "costly"))).status, 403)
    assert.lengthOf(answers(), 1)
  })

  it("keeps what was answered while nobody listened, for the dial that comes next", async () => {
    const { session, stream, answers } = await connectSse()
    stream.webSocket.close(3000)
    await runInDurableObject(session.stub, async (_, state) => until(() => state.getWebSockets().length === 0))
    await session.post(call(1, "echo"))
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.lengthOf(answers(), 1)
    const again = await session.stream(stream.frames.at(-1)!.id)
    await until(() => again.frames.length === 2)
    assert.strictEqual(again.frames[0]!.message.id, 1)
  })
})

describe("a client of /sse that has left", () => {
  it("leaves no session behind", async () => {
    const { session, stream } = await connectSse()
    stream.webSocket.close(1000)
    await until(async () => (await session.post(request(1, "ping"))).status === 404)
  })
})

describe("a stream that was cut off", () => {
  it("of a request goes on after the last event", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const first = await firstEventId(await session.post(call(1, "slow", { _meta: { progressToken: "p" } })))
    await new Promise((resolve) => setTimeout(resolve, 300))
    const messages = await messagesOf(await session.listen(first))
    assert.deepEqual(
      messages.map(({ id, params }) => id ?? params.progress),
      [2, 3, 4, 5, 6, 7, 1]
    )
  })

  it("of a request whose object was evicted ends after what is stored", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const first = await firstEventId(await session.post(call(1, "slow", { _meta: { progressToken: "p" } })))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    await evictDurableObject(session.stub)
    const messages = await messagesOf(await session.listen(first))
    assert.strictEqual(messages.at(-1).id, 1)
  })

  it("of a session is told that the lists have changed meanwhile", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const { frames, webSocket } = await session.stream()
    await messagesOf(await session.post(request(1, "ping")))
    await until(() => frames.length === 1)
    webSocket.close(1000)
    await changeRole(session)
    const again = await session.stream(frames[0]!.id)
    await until(() => again.frames.length === 4)
    assert.deepEqual(
      again.frames.slice(0, 3).map(({ message }) => message.method),
      listChanges
    )
  })

  it("does not go on after an id that is none", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const refused = await session.listen("nonsense")
    assert.strictEqual(refused.status, 400)
    assert.match(await refused.text(), /Invalid event ID/u)
  })

  it("of a request goes on to its answer only: after an answer, an error or a cancellation nothing is left", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const refused = async (eventId: string) => {
      const answer = await session.listen(eventId)
      return [answer.status, answer.headers.get("allow"), (await answer.json<any>()).error.message]
    }
    const nothing = [405, "POST, DELETE", "Nothing is left of this stream"]
    for (const [id, name] of [
      [1, "echo"],
      [2, "no such tool"]
    ] as const) {
      const stream = reading(await session.post(call(id, name)))
      const answer = await stream.event((message) => message?.id === id)
      await stream.end()
      assert.deepEqual(await refused(answer.id), nothing)
    }
    const cancelled = reading(await session.post(call(3, "slow", { _meta: { progressToken: "p" } })))
    const first = await cancelled.event((message) => message?.params?.progress === 1)
    await session.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 3 } })
    await cancelled.end()
    assert.deepEqual(await refused(first.id), nothing)
    assert.deepEqual(await refused("0b41fd3a-0cd5-4c8e-9dc6-6f1d5a3a1c5e.1"), nothing)
    await runInDurableObject(session.stub, (_, { storage }) => {
      assert.deepEqual(storage.sql.exec("SELECT * FROM requests").toArray(), [])
    })
  })

  it("of a request whose answer was dropped has nothing left", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const first = await firstEventId(await session.post(call(1, "slow", { _meta: { progressToken: "p" } })))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    await runInDurableObject(session.stub, (_, { storage }) => void storage.sql.exec("DELETE FROM events"))
    assert.strictEqual((await session.listen(first)).status, 405)
  })

  it("of a request ends with an error if the object was replaced meanwhile, once", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const calls = [
      { body: call(1, "slow", { _meta: { progressToken: "p" } }), ids: [1] },
      { body: [call(2, "slow", { _meta: { progressToken: "q" } }), call(3, "hang"), call(4, "echo")], ids: [2, 3] }
    ]
    const streams = await Promise.all(calls.map(async ({ body }) => reading(await session.post(body))))
    const firsts = await Promise.all(
      streams.map((stream) => stream.event((message) => message?.params?.progress === 1))
    )
    const otherId = await streams[1]!.event((message) => message?.id === 4)
    await replace(session.principal.userId)
    for (const [index, { ids }] of calls.entries()) {
      await streams[index]!.end()
      const from = index === 0 ? firsts[0]! : otherId
      const rest = reading(await session.listen(from.id))
      const last = await rest.event((message) => message?.id === ids.at(-1))
      const { ending, messages } = await rest.end()
      const errors = messages.filter(({ method }) => method === undefined)
      assert.strictEqual(ending, "ended")
      assert.deepEqual(
        errors.map(({ id }) => id),
        ids
      )
      for (const { error } of errors) {
        assert.strictEqual(error.code, -32603)
        assert.include(error.message, "Whether it was carried out is not known")
      }
      assert.deepEqual((await messagesOf(await session.listen(from.id))).length, messages.length)
      assert.strictEqual((await session.listen(last.id)).status, 405)
    }
    assert.lengthOf(await messagesOf(await session.post(call(5, "echo"))), 1)
  })

  it("of a request ends with it also if nothing was said on it but its id", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const first = await firstEventId(await session.post(call(1, "hang"), "2025-11-25"))
    await replace(session.principal.userId)
    const [{ id, error }, ...others] = await messagesOf(await session.listen(first))
    assert.deepEqual([id, error.code, others], [1, -32603, []])
  })

  it("of /sse brings an error for what was asked before the object was replaced, and for nothing else", async () => {
    const { session, stream } = await connectSse()
    assert.strictEqual((await session.post(call(1, "hang"))).status, 202)
    await replace(session.principal.userId)
    await until(() => stream.state.closed === 1006)
    assert.strictEqual((await session.post(call(2, "hang"))).status, 202)
    const again = await session.stream(stream.frames.at(-1)!.id)
    await until(() => again.frames.some(({ message }) => message?.id === 1))
    const answers = again.frames.flatMap(({ message }) => (message === undefined ? [] : [message]))
    assert.deepEqual(
      answers.map(({ id, error }) => [id, error.code]),
      [[1, -32603]]
    )
  })

  it("shows nothing of another session", async () => {
    const user = freshUser()
    const [one, other] = [await Session.open(identityOf(user)), await Session.open(identityOf(user))]
    const first = await firstEventId(await one.post(call(1, "echo")))
    assert.strictEqual((await other.listen(first)).status, 405)
  })
})

describe("the stream of a session", () => {
  it("is replaced by a newer one", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const older = await session.stream()
    const newer = await session.stream()
    await until(() => older.state.closed === closing.replaced)
    assert.isUndefined(newer.state.closed)
  })

  it("does not take the place of the one that replaced it, but of its own remains", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const older = await session.stream()
    await until(() => older.frames.length === 1)
    const newer = await session.stream()
    await until(() => newer.frames.length === 1)
    assert.strictEqual((await session.listen(older.frames[0]!.id)).status, 405)
    assert.isUndefined(newer.state.closed)
    const same = await session.stream(newer.frames[0]!.id)
    await until(() => newer.state.closed === closing.replaced)
    same.webSocket.close(1000)
    await runInDurableObject(session.stub, async (_, state) => until(() => state.getWebSockets().length === 0))
    assert.strictEqual((await session.stream(older.frames[0]!.id)).state.closed, undefined)
  })

  it("reaches all of a user’s sessions when what the user may use changes, and no other user’s", async () => {
    const user = freshUser()
    const sessions = await Promise.all([1, 2, 3].map((grant) => Session.open(identityOf(user, `grant-${grant}`))))
    const streams = await Promise.all(sessions.map((session) => session.stream()))
    const other = await (await Session.open(identityOf(freshUser()))).stream()
    await changeRole(sessions[0]!)
    await until(() => streams.every(({ frames }) => frames.length === 4))
    assert.lengthOf(other.frames, 1)
  })
})

describe("a connection without a session", () => {
  it("hears of changed lists, also of those it missed, until its grant is revoked", async () => {
    const user = freshUser()
    const follower = new Session(identityOf(user), "changes")
    const other = await Session.open(identityOf(user, "grant-2"))
    const first = await follower.stream()
    await messagesOf(await other.post(request(1, "ping")))
    await changeRole(other)
    await until(() => first.frames.length === 2)
    assert.deepEqual(
      first.frames.map(({ data }) => data),
      [undefined, "changed"]
    )
    first.webSocket.close(3000)
    await changeRole(other, "premium")
    const again = await follower.stream(first.frames[1]!.id)
    await until(() => again.frames.length === 2)
    assert.strictEqual(again.frames[0]!.data, "changed")
    await stubOf(user).hear(grantEnded(user, follower.principal.grantId))
    await until(() => again.state.closed === closing.ended)
  })
})

describe("a change that was noticed elsewhere", () => {
  it("is told on every stream, also to a follower who missed it", async () => {
    const user = freshUser()
    const session = await (await Session.open(identityOf(user))).stream()
    const follower = new Session(identityOf(user), "changes")
    const first = await follower.stream()
    await until(() => first.frames.length === 1)
    await stubOf(user).hear(accessChanged(user))
    await until(() => first.frames.length === 2)
    assert.strictEqual(first.frames[1]!.data, "changed")
    first.webSocket.close(3000)
    await stubOf(user).hear(accessChanged(user))
    const again = await follower.stream(first.frames[1]!.id)
    await until(() => again.frames.length === 2)
    assert.strictEqual(again.frames[0]!.data, "changed")
    await until(() => session.frames.length === 1 + 2 * listChanges.length)
    const told = session.frames.slice(1).map(({ message }) => message.method)
    assert.deepEqual(told, [...listChanges, ...listChanges])
  })
})

describe("a grant that was revoked", () => {
  it("ends its sessions and their streams, and no others", async () => {
    const user = freshUser()
    const [revoked, kept] = [
      await Session.open(identityOf(user, "grant-1")),
      await Session.open(identityOf(user, "grant-2"))
    ]
    const [ended, open] = [await revoked.stream(), await kept.stream()]
    await stubOf(user).hear(grantEnded(user, revoked.principal.grantId))
    await until(() => ended.state.closed === closing.ended)
    assert.strictEqual((await revoked.post(request(1, "ping"))).status, 401)
    assert.lengthOf(await messagesOf(await kept.post(request(1, "ping"))), 1)
    assert.isUndefined(open.state.closed)
  })
})

describe("a tool that ends the grant it was called under", () => {
  it("is answered still, though its session and its stream are gone", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const { state } = await session.stream()
    const answer = session.post(call(1, "leave"))
    await until(() => state.closed === closing.ended)
    assert.strictEqual((await session.post(request(2, "ping"))).status, 401)
    const [left] = await messagesOf(await answer)
    assert.deepInclude(left, { id: 1 })
    assert.deepEqual(left.result.structuredContent, { text: "left" })
    const nothingKept = (state: DurableObjectState) =>
      state.storage.sql.exec("SELECT * FROM events").toArray().length === 0
    await until(() => runInDurableObject(session.stub, (_, state) => nothingKept(state)))
  })

  it("is answered on the stream of /sse, which ends then", async () => {
    const { session, stream, answers } = await connectSse()
    assert.strictEqual((await session.post(call(1, "leave"))).status, 202)
    await until(() => stream.state.closed === closing.ended)
    assert.deepEqual(answers().at(-1).result.structuredContent, { text: "left" })
  })

  it("has 5 s for it", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const before = Date.now()
    assert.deepEqual(await messagesOf(await session.post(call(1, "leaveAndHang"))), [])
    assert.isAtLeast(Date.now() - before, limits.lastAnswers - 100)
    assert.isBelow(Date.now() - before, limits.lastAnswers + 2_000)
  })

  it("does not hold up a client that ends its session", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const waiting = await session.post(call(1, "hang"))
    const before = Date.now()
    await session.remove()
    await waiting.text()
    assert.isBelow(Date.now() - before, 1_000)
  })
})

describe("an account that was closed", () => {
  it("loses all its sessions and streams, and can open new ones once it is open again", async () => {
    const [user, stranger] = [freshUser(), await Session.open(identityOf(freshUser()))]
    const session = await Session.open(identityOf(user, "grant-1"))
    const sse = new Session(identityOf(user, "grant-2"), "sse")
    const follower = new Session(identityOf(user, "grant-3"), "changes")
    const streams = await Promise.all([session, sse, follower].map((client) => client.stream()))
    sse.id = streams[1]!.id
    const other = await stranger.stream()
    await evictDurableObject(stubOf(user))
    await stubOf(user).hear(accountClosed(user))
    await until(() => streams.every(({ state }) => state.closed === closing.ended))
    assert.strictEqual((await session.post(request(1, "ping"))).status, 404)
    assert.strictEqual((await sse.post(request(1, "ping"))).status, 404)
    await runInDurableObject(stubOf(user), (_, { storage }) => {
      assert.deepEqual(storage.sql.exec("SELECT * FROM sessions").toArray(), [])
    })
    assert.isUndefined(other.state.closed)
    await Session.open(identityOf(user, "grant-4"))
  })
})

describe("a grant that has ended", () => {
  it("opens nothing, also after an eviction", async () => {
    const principal = identityOf(freshUser())
    await stubOf(principal.userId).hear(grantEnded(principal.userId, principal.grantId))
    await evictDurableObject(stubOf(principal.userId))
    assert.strictEqual((await new Session(principal).post(initialize())).status, 401)
    const refused = await new Session(principal, "sse").listen()
    assert.strictEqual(refused.status, 401)
    assert.strictEqual(refused.headers.get("www-authenticate"), 'Bearer error="invalid_token"')
    assert.strictEqual((await new Session(principal, "changes").listen()).status, 401)
    await Session.open(identityOf(principal.userId, "grant-2"))
  })
})

describe("a grant that ends after its token was found good", () => {
  afterEach(() => {
    clerk.admitted = Effect.void
  })

  it("opens no session, and calls nothing in one", async () => {
    const session = await Session.open(identityOf(freshUser(), "grant-1", ["mcp:tools"], "client"))
    const principal = identityOf(session.principal.userId, "grant-2", ["mcp:tools"], "client")
    clerk.admitted = Effect.sync(() => ended.add(`${principal.userId} ${principal.grantId}`))
    assert.strictEqual((await session.as(principal).post(call(1, "echo"))).status, 401)
    ended.delete(`${principal.userId} ${principal.grantId}`)
    assert.strictEqual((await new Session(principal).post(initialize())).status, 401)
  })
})

describe("a session whose row cannot be read", () => {
  it("neither saves the others of its grant, nor itself", async () => {
    const principal = identityOf(freshUser())
    const [broken, other] = [await Session.open(principal), await Session.open(principal)]
    await runInDurableObject(stubOf(principal.userId), (_, { storage }) => {
      storage.sql.exec("UPDATE sessions SET initialize = 'no JSON' WHERE id = ?", broken.id)
    })
    await stubOf(principal.userId).hear(grantEnded(principal.userId, principal.grantId))
    assert.strictEqual((await other.post(request(1, "ping"))).status, 401)
    assert.strictEqual((await broken.post(request(1, "ping"))).status, 401)
  })

  it("does not keep the streams open that a revoked grant reads of sessions under a newer grant", async () => {
    const user = freshUser()
    const [older, newer] = ["grant-1", "grant-2"].map((grant) => identityOf(user, grant, ["mcp:tools"], "client"))
    const sessions = await Promise.all([1, 2].map(() => Session.open(older!)))
    const streams = await Promise.all(sessions.map((session) => session.stream()))
    for (const session of sessions) await messagesOf(await session.as(newer!).post(request(1, "ping")))
    await runInDurableObject(stubOf(user), (_, { storage }) => {
      storage.sql.exec("UPDATE sessions SET initialize = 'no JSON' WHERE id = ?", sessions[0]!.id)
    })
    await stubOf(user).hear(grantEnded(user, older!.grantId))
    await until(() => streams.every(({ state }) => state.closed === closing.ended))
    assert.lengthOf(await messagesOf(await sessions[1]!.as(newer!).post(request(2, "ping"))), 1)
  })
})

describe("beyond the limits", () => {
  const refusalOf = async (response: Response) => {
    const { error } = await response.json<{ readonly error: { readonly message: string } }>()
    return [response.status, response.headers.get("retry-after"), error.message]
  }

  it("a session’s requests are refused, those of the user’s other sessions are not, and a cancellation makes room", async () => {
    const user = freshUser()
    const [flooding, other] = [await Session.open(identityOf(user)), await Session.open(identityOf(user))]
    const waiting = await Promise.all(
      Array.from({ length: limits.requestsPerSession }, (_, id) => flooding.post(call(id + 1, "hang")))
    )
    assert.deepEqual(await refusalOf(await flooding.post(call(99, "echo"))), [
      429,
      "1",
      "No more than 16 requests may wait for an answer. Send this one again later."
    ])
    const [answered] = await messagesOf(await other.post(call(1, "echo")))
    assert.strictEqual(answered.id, 1)
    const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } }
    assert.strictEqual((await flooding.post(cancelled)).status, 202)
    assert.deepEqual(await messagesOf(waiting[0]!), [])
    const [again] = await messagesOf(await flooding.post(call(100, "echo")))
    assert.strictEqual(again.id, 100)
    await flooding.remove()
    await Promise.all(waiting.slice(1).map((response) => response.text()))
  })

  it("the id of a request that waits does not make another one of it", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const waiting = await session.post(call(1, "hang"))
    for (const body of [call(1, "hang"), [call(1, "echo"), call(2, "echo")], [call(3, "echo"), call(3, "echo")]]) {
      const refused = await session.post(body)
      assert.strictEqual(refused.status, 400)
      assert.deepEqual(await refused.json(), {
        jsonrpc: "2.0",
        error: { code: -32600, message: "Invalid Request: the id of a request that is still being answered" },
        id: null
      })
    }
    await session.post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } })
    assert.deepEqual(await messagesOf(waiting), [])
    assert.lengthOf(await messagesOf(await session.post(call(1, "echo"))), 1)
  })

  it("requests of all sessions of a client together are refused, those of another client are not", async () => {
    const user = freshUser()
    const [last, ...flooding] = await Promise.all([1, 2, 3].map(() => Session.open(identityOf(user))))
    const other = await Session.open(identityOf(user, "grant-2"))
    const ids = Array.from({ length: limits.requestsPerSession }, (_, id) => id)
    const waiting = await Promise.all(flooding.flatMap((by) => ids.map((id) => by.post(call(id, "hang")))))
    assert.lengthOf(waiting, limits.requestsPerClient)
    assert.deepEqual(await refusalOf(await last!.post(call(1, "echo"))), [
      429,
      "1",
      "No more than 32 requests may wait for an answer. Send this one again later."
    ])
    assert.lengthOf(await messagesOf(await other.post(call(1, "echo"))), 1)
    await Promise.all(flooding.map((session) => session.remove()))
    await Promise.all(waiting.map((response) => response.text()))
  })

  it("requests of all sessions together are refused", async () => {
    const user = freshUser()
    const grants = ["grant-1", "grant-2", "grant-2", "grant-3", "grant-3"]
    const sessions = await Promise.all(grants.map((grant) => Session.open(identityOf(user, grant))))
    const [last, ...flooding] = sessions
    const ids = Array.from({ length: limits.requestsPerSession }, (_, id) => id)
    const waiting = await Promise.all(flooding.flatMap((by) => ids.map((id) => by.post(call(id, "hang")))))
    assert.lengthOf(waiting, limits.requests)
    assert.deepEqual(await refusalOf(await last!.post(call(1, "echo"))), [
      429,
      "1",
      "No more than 64 requests may wait for an answer. Send this one again later."
    ])
    await Promise.all(flooding.map((session) => session.remove()))
    await Promise.all(waiting.map((response) => response.text()))
    assert.lengthOf(await messagesOf(await last!.post(call(1, "echo"))), 1)
  })

  it("refused requests take no place", async () => {
    const session = await Session.open(identityOf(freshUser()))
    for (let id = 0; id <= limits.requestsPerSession; id++) {
      assert.strictEqual((await session.post(call(id, "costly"))).status, 403)
    }
  })

  it("the server that was left alone longest goes, and comes back", async () => {
    const user = freshUser()
    const sessions: Array<Session> = []
    for (let opened = 0; opened < limits.liveServers + 4; opened++) sessions.push(await Session.open(identityOf(user)))
    for (const session of sessions) {
      const [answered] = await messagesOf(await session.post(call(1, "echo")))
      assert.strictEqual(answered.id, 1)
    }
  })

  it("a session waits while every server is at work", async () => {
    const user = freshUser()
    const sessions: Array<Session> = []
    for (let opened = 0; opened <= limits.liveServers; opened++) sessions.push(await Session.open(identityOf(user)))
    const [last, ...busy] = sessions.toReversed()
    const waiting = await Promise.all(busy.map((session) => session.post(call(1, "hang"))))
    assert.deepEqual(await refusalOf(await last!.post(call(1, "echo"))), [
      429,
      "1",
      "32 of your sessions are busy. Send this request again later."
    ])
    await Promise.all(busy.map((session) => session.remove()))
    await Promise.all(waiting.map((response) => response.text()))
    const [answered] = await messagesOf(await last!.post(call(1, "echo")))
    assert.strictEqual(answered.id, 1)
  })
})
