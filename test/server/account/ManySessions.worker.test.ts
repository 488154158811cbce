import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import { assert, describe, it } from "vitest"

import {
  call,
  changeRole,
  freshUser,
  identityOf,
  messagesOf,
  Session,
  stubOf,
  until
} from "../../support/sessions/Sessions.ts"

const openMany = async (count: number, open: (index: number) => Promise<Session>) => {
  const sessions: Array<Session> = []
  for (let opened = 0; opened < count; opened += 20) {
    sessions.push(...(await Promise.all(Array.from({ length: 20 }, (_, index) => open(opened + index)))))
  }
  return sessions
}

describe("many idle sessions", () => {
  it("of one user keep their streams while the object sleeps, and are all told of a change", async () => {
    const user = freshUser()
    const sessions = await openMany(1_000, (index) => Session.open(identityOf(user, `grant-${index}`)))
    const streams = await Promise.all(sessions.map((session) => session.stream()))
    await changeRole(sessions[0]!)
    await until(() => streams.every(({ frames }) => frames.length === 4))
    const [answer] = await messagesOf(await sessions[999]!.post(call(1, "echo")))
    assert.strictEqual(answer.id, 1)
    const size = await runInDurableObject(stubOf(user), (_, { storage }) => storage.sql.databaseSize)
    console.log(`1,000 sessions of one user: ${Math.round(size / 1_000)} bytes of storage each`)
    assert.isAtMost(size, 4_096 * 1_000)
    for (const { webSocket } of streams) webSocket.close(1000)
  }, 120_000)

  it("of 200 users come back after an eviction", async () => {
    const sessions = await openMany(200, () => Session.open(identityOf(freshUser())))
    await Promise.all(sessions.map((session) => evictDurableObject(session.stub)))
    const answers = await Promise.all(sessions.map(async (session) => messagesOf(await session.post(call(1, "echo")))))
    assert.isTrue(answers.every(([answer]) => answer.id === 1))
  }, 120_000)
})
