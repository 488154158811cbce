import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { assert, describe, it } from "vitest"

import {
  call,
  changeRole,
  freshUser,
  identityOf,
  initialize,
  listChanges,
  messagesOf,
  request,
  stubOf,
  until,
  Session
} from "../../support/sessions/Sessions.ts"

describe("a session", () => {
  for (const version of ["2025-03-26", "2025-06-18", "2025-11-25"]) {
    it(`opens with initialize ${version}, lists and calls tools`, async () => {
      const session = new Session(identityOf(freshUser()))
      const opened = await session.post(initialize(version))
      const [answer] = await messagesOf(opened)
      assert.strictEqual(answer.result.protocolVersion, version)
      assert.deepEqual(answer.result.capabilities.tools, { listChanged: true })
      session.id = opened.headers.get("mcp-session-id") ?? ""
      assert.match(session.id, /^[0-9a-f]{32}$/u)
      const [list] = await messagesOf(await session.post(request(1, "tools/list")))
      assert.include(
        list.result.tools.map(({ name }: { readonly name: string }) => name),
        "echo"
      )
      const [called] = await messagesOf(await session.post(call(2, "echo")))
      assert.deepEqual(called.result.structuredContent, { text: "echo" })
    })
  }

  it("is of a version that the server speaks, whatever was asked for", async () => {
    for (const asked of ["9999-99-99", "2026-07-28", "2024-11-05\r\nx: 1"]) {
      const session = await Session.open(identityOf(freshUser()), asked)
      const answer = await session.listen()
      assert.strictEqual(answer.status, 101)
      assert.strictEqual(answer.headers.get("mcp-protocol-version"), "2025-11-25")
      answer.webSocket?.accept()
      answer.webSocket?.close(1000)
    }
  })

  it("survives the eviction of its object between two requests", async () => {
    const session = await Session.open(identityOf(freshUser()))
    await evictDurableObject(session.stub)
    const [called] = await messagesOf(await session.post(call(1, "echo")))
    assert.deepEqual(called, {
      jsonrpc: "2.0",
      id: 1,
      result: { content: [{ type: "text", text: '{"text":"echo"}' }], structuredContent: { text: "echo" } }
    })
  })

  it("survives it during an idle stream, whose socket stays", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const { frames, state } = await session.stream()
    await until(() => frames.length === 1)
    await changeRole(session)
    await until(() => frames.length === 4)
    assert.deepEqual(
      frames.slice(1).map(({ message }) => message.method),
      listChanges
    )
    assert.isUndefined(state.closed)
  })

  it("tells its client from the level on that was set, also after an eviction, and whatever was set last", async () => {
    const user = freshUser()
    const [session, other] = [await Session.open(identityOf(user)), await Session.open(identityOf(user))]
    const told = async (by: Session) => {
      const messages = await messagesOf(await by.post(call(1, "chatty")))
      return messages.flatMap(({ method, params }) => (method === "notifications/message" ? params.level : []))
    }
    const set = (level: string) => ({ ...request(2, "logging/setLevel", { level }), id: level })
    assert.deepEqual(await told(session), ["debug", "notice", "error", "alert"])
    const [answer] = await messagesOf(await session.post(set("error")))
    assert.deepEqual(answer, { jsonrpc: "2.0", id: "error", result: {} })
    assert.deepEqual(await told(session), ["error", "alert"])
    await evictDurableObject(session.stub)
    assert.deepEqual(await told(session), ["error", "alert"])
    assert.deepEqual(await told(other), ["debug", "notice", "error", "alert"])

    const [refused] = await messagesOf(await session.post(set("loud")))
    assert.isDefined(refused.error)
    await evictDurableObject(session.stub)
    assert.deepEqual(await told(session), ["error", "alert"])

    await messagesOf(await session.post([set("debug"), set("alert")]))
    await evictDurableObject(session.stub)
    assert.deepEqual(await told(session), ["alert"])

    await session.remove()
    await runInDurableObject(stubOf(user), (_, { storage }) => {
      assert.deepEqual(storage.sql.exec("SELECT * FROM log_levels").toArray(), [])
    })
  })

  it("refuses a call whose token lacks a scope with 403 and the scopes to ask for", async () => {
    const user = freshUser()
    const session = await Session.open(identityOf(user))
    const refused = await session.post(call(1, "costly"))
    assert.strictEqual(refused.status, 403)
    assert.match(refused.headers.get("www-authenticate") ?? "", /insufficient_scope.*mcp:tools paint:use/u)
    await refused.text()
    const more = session.as(identityOf(user, "grant-1", ["mcp:tools", "paint:use"]))
    const [called] = await messagesOf(await more.post(call(2, "costly")))
    assert.deepEqual(called.result.structuredContent, { text: "costly" })
  })

  it("ends when its client says so", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const { state } = await session.stream()
    assert.strictEqual(await session.remove(), 200)
    await until(() => state.closed === 1000)
    const gone = await session.post(call(1, "echo"))
    assert.strictEqual(gone.status, 404)
    assert.deepEqual(await gone.json(), {
      jsonrpc: "2.0",
      error: { code: -32001, message: "Session not found" },
      id: null
    })
    assert.strictEqual(await session.remove(), 404)
  })

  it("is not opened by an initialize that is refused", async () => {
    const user = freshUser()
    const session = new Session(identityOf(user))
    const refused = await session.post(initialize("2025-11-25", "x".repeat(4_000)))
    assert.strictEqual(refused.status, 400)
    assert.match(await refused.text(), /an initialize may have 3072 bytes/u)
    await runInDurableObject(stubOf(user), (_, state) => {
      assert.deepEqual(state.storage.sql.exec("SELECT * FROM sessions").toArray(), [])
    })
  })
})

describe("an answer that cannot be stored", () => {
  it("is lost to its client, whose stream ends, but not to the operator", async () => {
    const session = await Session.open(identityOf(freshUser()))
    await runInDurableObject(session.stub, (_, { storage }) => void storage.sql.exec("DROP TABLE events"))
    const lines: Array<unknown> = []
    const { log } = console
    console.log = (...line) => void lines.push(...line)
    assert.deepEqual(await messagesOf(await session.post(call(1, "echo"))), [])
    console.log = log
    assert.include(lines.join("\n"), "An answer of a session could not be stored or sent")
  })
})

describe("what breaks inside the object", () => {
  it("is answered once, with a reference to the log, and does not ask the Worker to come back", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const lines: Array<unknown> = []
    const { log } = console
    console.log = (...line) => void lines.push(...line)
    await runInDurableObject(session.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE sessions SET initialize = 'no JSON'")
    })
    const { principal, id: sessionId, stub } = session
    const broken = [
      await session.post(call(1, "echo")),
      await new Session(principal, "sse", sessionId).postText("{"),
      await stub.remove({ principal, sessionId }),
      await session.listen()
    ]
    console.log = log
    for (const response of broken) {
      assert.strictEqual(response.status, 500)
      assert.isNull(response.headers.get("retry-after"))
      const [, reference = ""] = /report the reference (\w{8})/u.exec(await response.text()) ?? []
      assert.include(JSON.stringify(lines), reference)
      assert.lengthOf(reference, 8)
    }
  })
})

describe("somebody else's session", () => {
  for (const wire of ["streamable", "sse"] as const) {
    it(`does not exist for another user or another client (${wire})`, async () => {
      const owner = freshUser()
      const session = new Session(identityOf(owner), wire)
      if (wire === "sse") session.id = (await session.stream()).id
      const answer = await session.post(initialize())
      session.id ??= answer.headers.get("mcp-session-id") ?? ""
      await answer.text()
      for (const thief of [identityOf(freshUser()), identityOf(owner, "grant-2")]) {
        const stolen = session.as(thief)
        const statuses = [
          (await stolen.post(call(1, "echo"))).status,
          (await stolen.post({ jsonrpc: "2.0", method: "notifications/initialized" })).status,
          (await stolen.listen()).status,
          (await stolen.listen("_GET_stream.1")).status,
          await stolen.remove()
        ]
        assert.deepEqual(statuses, [404, 404, 404, 404, 404])
      }
      assert.strictEqual((await session.post({ jsonrpc: "2.0", method: "notifications/initialized" })).status, 202)
    })
  }

  it("cannot be used over the other transport", async () => {
    const session = await Session.open(identityOf(freshUser()))
    assert.strictEqual((await new Session(session.principal, "sse", session.id).post(call(1, "echo"))).status, 404)
    assert.strictEqual((await new Session(session.principal, "sse", session.id).listen()).status, 404)
  })
})

describe("an idle session", () => {
  it("expires: its row, its socket and the alarm go", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const { state } = await session.stream()
    await messagesOf(await session.post(call(1, "echo")))
    const day = 24 * 3_600_000
    await runInDurableObject(session.stub, async (_, { storage }) => {
      assert.isNotNull(await storage.getAlarm())
      storage.sql.exec(`UPDATE sessions SET used_at = used_at - ${day}`)
      storage.sql.exec(`UPDATE events SET seq = seq - ${day * 1_000}`)
      storage.sql.exec("UPDATE decisions SET time = 0")
      storage.sql.exec("UPDATE records SET expires_at = 1 WHERE key = 'clerk'")
      storage.sql.exec("UPDATE cf_agents_jobs SET time = 0")
    })
    assert.strictEqual((await session.post(call(2, "echo"))).status, 404)
    assert.isTrue(await runDurableObjectAlarm(session.stub))
    await until(() => state.closed === 1000)
    await runInDurableObject(session.stub, async (_, object) => {
      const count = (table: string) => object.storage.sql.exec(`SELECT count(*) AS n FROM ${table}`).one()["n"]
      assert.deepEqual([count("sessions"), count("events"), count("cf_agents_jobs")], [0, 0, 0])
      assert.isEmpty(object.getWebSockets())
      assert.isNull(await object.storage.getAlarm())
    })
  })

  it("keeps no events for longer than 5 minutes, and wakes only to expire", async () => {
    const session = await Session.open(identityOf(freshUser()))
    await messagesOf(await session.post(call(1, "echo")))
    await runInDurableObject(session.stub, (_, { storage }) => {
      storage.sql.exec(`UPDATE events SET seq = seq - ${6 * 60_000_000}`)
      storage.sql.exec("UPDATE cf_agents_jobs SET time = 0")
    })
    assert.isTrue(await runDurableObjectAlarm(session.stub))
    await runInDurableObject(session.stub, async (_, { storage }) => {
      assert.isEmpty(storage.sql.exec("SELECT * FROM events").toArray())
      const [session] = storage.sql.exec("SELECT used_at FROM sessions").toArray()
      // What Clerk said expires about then, too.
      assert.approximately(Number(await storage.getAlarm()), Number(session!["used_at"]) + 24 * 3_600_000, 1_000)
    })
    assert.lengthOf(await messagesOf(await session.post(call(2, "echo"))), 1)
  })

  it("expires even if the object could not be told when at first", async () => {
    const client = new Session(identityOf(freshUser()), "sse")
    const rename = (from: string, to: string) =>
      runInDurableObject(client.stub, (_, { storage }) => void storage.sql.exec(`ALTER TABLE ${from} RENAME TO ${to}`))
    await client.stub.record([])
    await rename("cf_agents_jobs", "elsewhere")
    await client.listen()
    await rename("elsewhere", "cf_agents_jobs")
    assert.strictEqual((await client.listen()).status, 101)
    await runInDurableObject(client.stub, async (_, { storage }) => assert.isNotNull(await storage.getAlarm()))
  })

  it("takes at most 4 KiB of storage", async () => {
    const user = freshUser()
    const size = () => runInDurableObject(stubOf(user), (_, { storage }) => storage.sql.databaseSize)
    await Session.open(identityOf(user))
    const before = await size()
    for (let opened = 0; opened < 50; opened++) {
      const session = await Session.open(identityOf(user, `grant-${opened}`))
      await messagesOf(await session.post(request(1, "logging/setLevel", { level: "emergency" })))
    }
    const each = ((await size()) - before) / 50
    console.log(`storage per idle session: ${each} bytes`)
    assert.isAtMost(each, 4_096)
  })
})
