import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import { assert, describe, it } from "vitest"

import { limits } from "../../../src/server/account/Session.ts"
import {
  call,
  freshUser,
  identityOf,
  messagesOf,
  reading,
  request,
  Session,
  stubOf
} from "../../support/sessions/Sessions.ts"

const rows = (session: Session, query: string) =>
  runInDurableObject(session.stub, (_, { storage }) => storage.sql.exec(query).toArray())

describe("the events of a user", () => {
  it("are kept up to a number of bytes, the latest of whatever session", async () => {
    const user = freshUser()
    const [older, newer] = [await Session.open(identityOf(user)), await Session.open(identityOf(user))]
    await evictDurableObject(stubOf(user))
    await runInDurableObject(stubOf(user), (_, { storage }) => {
      for (let event = 0; event < 8; event++) {
        const [id, seq] = [event % 2 === 0 ? older.id : newer.id, Date.now() * 1_000 - 1_000 + event]
        // Two bytes each, and a MiB short of the limit together.
        storage.sql.exec(
          "INSERT INTO events VALUES (?, ?, 'filled', ?)",
          id,
          seq,
          "é".repeat((limits.eventBytes - 2 ** 20) / 16)
        )
      }
    })
    await evictDurableObject(stubOf(user))
    const filled = () => rows(newer, "SELECT seq % 1000 AS n FROM events WHERE stream = 'filled' ORDER BY seq")
    for (let id = 0; id < 4; id++) await messagesOf(await newer.post(call(id, "middling")))
    assert.lengthOf(await filled(), 8)
    await messagesOf(await newer.post(call(4, "middling")))
    const kept = (await filled()).map(({ n }) => Number(n))
    assert.isAbove(kept.length, 3)
    assert.isBelow(kept.length, 7)
    assert.strictEqual(kept.at(-1), 7)
    const [{ bytes } = {}] = await rows(newer, "SELECT sum(length(CAST(message AS BLOB))) AS bytes FROM events")
    assert.isBelow(Number(bytes), limits.eventBytes)
    await older.remove()
    // More than it was cut down to before, less than the limit.
    for (let id = 0; id < 30; id++) await messagesOf(await newer.post(call(id, "middling")))
    const [{ later } = {}] = await rows(newer, "SELECT sum(length(CAST(message AS BLOB))) AS later FROM events")
    assert.isAbove(Number(later), limits.eventBytes * 0.76)
    assert.lengthOf(await filled(), kept.filter((n) => n % 2 === 1).length)
  })

  it("are kept up to a length; in place of a longer answer, who resumes is told so", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const answer = await session.post(call(1, "long", { _meta: { progressToken: "p" } }))
    const { id } = await reading(answer).event(({ method }) => method === "notifications/progress")
    const [resumed] = await messagesOf(await session.listen(id))
    assert.deepEqual(resumed, {
      jsonrpc: "2.0",
      id: 1,
      error: { code: -32000, message: "The answer is too long to be sent a second time. Ask for it again." }
    })
    const [{ longest } = {}] = await rows(session, "SELECT max(length(message)) AS longest FROM events")
    assert.isBelow(Number(longest), 1_000)
    const [whole] = (await messagesOf(await session.post(call(2, "long")))).slice(-1)
    assert.lengthOf(whole.result.structuredContent.text, 300_000)
  })
})

describe("a session in use", () => {
  it("is as good as new, told once a minute", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const usedAt = async (before: number) => {
      await runInDurableObject(session.stub, (_, { storage }) => {
        storage.sql.exec("UPDATE sessions SET used_at = ?", Date.now() - before)
      })
      await messagesOf(await session.post(request(1, "ping")))
      const [{ used_at: time } = {}] = await rows(session, "SELECT used_at FROM sessions")
      return Date.now() - Number(time)
    }
    assert.isBelow(await usedAt(70_000), 10_000)
    assert.isAbove(await usedAt(50_000), 49_000)
  })
})

describe("connections without a session", () => {
  it("are as many as may be, and one that leaves makes room", async () => {
    const user = freshUser()
    const [follower, other] = ["grant-1", "grant-2"].map((grant) => new Session(identityOf(user, grant), "changes"))
    const first = await follower!.stream()
    for (let opened = 1; opened < limits.followersPerClient; opened++) await follower!.stream()
    const overmuch = await follower!.listen()
    assert.strictEqual(overmuch.status, 429)
    assert.include(await overmuch.text(), `There are ${limits.followersPerClient} open subscriptions`)
    for (let opened = limits.followersPerClient; opened < limits.followers; opened++) await other!.stream()
    const refused = await new Session(identityOf(user, "grant-3"), "changes").listen()
    assert.strictEqual(refused.status, 429)
    assert.include(await refused.text(), `There are ${limits.followers} open subscriptions`)
    first.webSocket.close(1000)
    await runInDurableObject(follower!.stub, async (_, state) => {
      while (state.getWebSockets().length === limits.followers) await new Promise((go) => setTimeout(go, 10))
    })
    assert.strictEqual((await follower!.listen()).status, 101)
  })
})
