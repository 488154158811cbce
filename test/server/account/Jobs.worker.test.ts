import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { assert, describe, it } from "vitest"

import { limits } from "../../../src/server/account/DecisionRows.ts"
import type { UserId } from "../../../src/server/domain/Principal.ts"
import { decided } from "../../support/Decided.ts"
import { accountClosed, call, freshUser, identityOf, Session, stubOf, until } from "../../support/sessions/Sessions.ts"

const rows = (userId: UserId, query: string) =>
  runInDurableObject(stubOf(userId), (_, { storage }) => storage.sql.exec(query).toArray())

const minute = 60_000

describe("a job of an object", () => {
  const hide = (userId: UserId) => rows(userId, "ALTER TABLE decisions RENAME COLUMN time TO hidden")
  const show = (userId: UserId) => rows(userId, "ALTER TABLE decisions RENAME COLUMN hidden TO time")

  /** Runs what is due, with the expiry of decisions due by now, and tells when that is to run next. */
  const run = async (userId: UserId) => {
    await rows(userId, "UPDATE cf_agents_jobs SET time = 0 WHERE id = 'expire'")
    await runDurableObjectAlarm(stubOf(userId))
    const [job] = await rows(userId, "SELECT time FROM cf_agents_jobs WHERE id = 'expire'")
    return Number(job?.["time"])
  }
  const failures = (userId: UserId, set?: number) =>
    runInDurableObject(stubOf(userId), (_, { storage: { kv } }) => {
      if (set !== undefined) kv.put("failures of expire", set)
      return kv.get("failures of expire")
    })

  it("that fails is tried again, after twice as long each time and 6 hours at most, until it works", async () => {
    const userId = freshUser()
    const time = Date.now()
    await stubOf(userId).record([decided({ time, reference: "A", userId })])
    await hide(userId)
    for (const wait of [minute, 2 * minute, 4 * minute]) {
      assert.approximately((await run(userId)) - Date.now(), wait, 10_000)
    }
    await failures(userId, 30)
    assert.approximately((await run(userId)) - Date.now(), 360 * minute, 10_000)
    await show(userId)
    assert.strictEqual(await run(userId), time + limits.age)
    assert.isUndefined(await failures(userId))
  })

  it("is planned by the next decision, where it could not be planned by the first", async () => {
    const userId = freshUser()
    await stubOf(userId).record([])
    await rows(userId, "ALTER TABLE cf_agents_jobs RENAME TO elsewhere")
    await stubOf(userId).record([decided({ time: Date.now(), reference: "A", userId })])
    await rows(userId, "ALTER TABLE elsewhere RENAME TO cf_agents_jobs")
    assert.lengthOf(await rows(userId, "SELECT * FROM cf_agents_jobs"), 0)
    await stubOf(userId).record([decided({ time: Date.now(), reference: "B", userId })])
    await until(async () => (await rows(userId, "SELECT * FROM cf_agents_jobs WHERE id = 'expire'")).length === 1)
  })
})

describe("a grant whose time is over", () => {
  it("has its sessions and streams closed by the sweep that removes it, and no others", async () => {
    const userId = freshUser()
    const [over, other] = [await Session.open(identityOf(userId)), await Session.open(identityOf(userId, "grant-2"))]
    const [closed, open] = [await over.stream(), await other.stream()]
    await rows(userId, `UPDATE records SET expires_at = 1 WHERE key = 'grant:${userId}:grant-1'`)
    await rows(userId, "UPDATE cf_agents_jobs SET time = 0 WHERE id = 'sweep of records'")
    await runDurableObjectAlarm(stubOf(userId))
    await until(() => closed.state.closed === 1000)
    const left = await rows(userId, "SELECT grant_id AS id FROM sessions")
    assert.deepEqual(left, [{ id: "grant-2" }])
    assert.isUndefined(open.state.closed)
  })
})

describe("an event", () => {
  const failed = (told: Promise<unknown>) =>
    told.then(
      () => false,
      () => true
    )

  it("has the erasure planned, though sessions cannot be ended", async () => {
    const { principal } = await Session.open(identityOf(freshUser()))
    const { userId } = principal
    await rows(userId, "ALTER TABLE sessions RENAME TO elsewhere")
    assert.isTrue(await failed(stubOf(userId).hear(accountClosed(userId, true))))
    await rows(userId, "ALTER TABLE elsewhere RENAME TO sessions")
    assert.lengthOf(await rows(userId, "SELECT * FROM cf_agents_jobs WHERE id = 'erase'"), 1)
  })

  it("ends the sessions, though the erasure cannot be planned", async () => {
    const session = await Session.open(identityOf(freshUser()))
    const { userId } = session.principal
    const { state } = await session.stream()
    await rows(userId, "ALTER TABLE cf_agents_jobs RENAME TO elsewhere")
    assert.isTrue(await failed(stubOf(userId).hear(accountClosed(userId, true))))
    await rows(userId, "ALTER TABLE elsewhere RENAME TO cf_agents_jobs")
    await until(() => state.closed === 1000)
    assert.strictEqual((await session.post(call(1, "echo"))).status, 404)
  })
})
