import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { assert, describe, it } from "vitest"

import { GrantId, type UserId } from "../../../src/server/domain/Principal.ts"
import { decided } from "../../support/Decided.ts"
import {
  accessChanged,
  accountClosed,
  clerkSessionChanged,
  factsChanged,
  freshUser,
  grantEnded,
  identityOf,
  Session,
  stubOf,
  until
} from "../../support/sessions/Sessions.ts"
import { clerk } from "../../support/sessions/Worker.ts"

/** What an object has stored: the names of its tables, and its alarm. */
const stored = (userId: UserId) =>
  runInDurableObject(stubOf(userId), async (_, { storage }) => ({
    tables: storage.sql
      .exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")
      .toArray()
      .map(({ name }) => name),
    alarm: await storage.getAlarm()
  }))

const grantId = GrantId.make("grant-1")
const request = { headers: [], form: "grant_type=refresh_token&refresh_token=made-up" }

const rows = (userId: UserId, query: string) =>
  runInDurableObject(stubOf(userId), (_, { storage }) => storage.sql.exec(query).toArray())
const sweeps = (userId: UserId) => rows(userId, "SELECT time FROM cf_agents_jobs WHERE id = 'sweep of records'")

describe("the object of somebody who never connected", () => {
  const asks: Readonly<Record<string, (userId: UserId) => Promise<unknown>>> = {
    "a token": (userId) => stubOf(userId).token(request),
    "how the account is": (userId) => stubOf(userId).standing(),
    "the end of a grant": (userId) => stubOf(userId).end(grantId),
    "an entry": (userId) => stubOf(userId).readEntry("note"),
    "a call that was given back": (userId) => stubOf(userId).giveBackCall("rationed", 1),
    "what is there": async (userId) =>
      Promise.all([
        stubOf(userId).grants(),
        stubOf(userId).decisions({ limit: 1 }),
        stubOf(userId).newest(1),
        stubOf(userId).lookAgain(factsChanged(userId))
      ]),
    "an event": async (userId) => {
      const events = [
        factsChanged(userId),
        clerkSessionChanged(userId, "sess_unknown"),
        accessChanged(userId),
        grantEnded(userId, grantId),
        accountClosed(userId, true)
      ]
      for (const event of events) await stubOf(userId).hear(event)
    }
  }

  for (const [what, ask] of Object.entries(asks)) {
    it(`stores nothing when it is asked for ${what}, whatever Clerk says`, async () => {
      const [open, banned, deleted] = [freshUser(), freshUser(), freshUser()]
      clerk.banned.add(banned)
      clerk.deleted.add(deleted)
      for (const userId of [open, banned, deleted]) {
        await ask(userId)
        await ask(userId)
        assert.deepEqual(await stored(userId), { tables: [], alarm: null })
      }
    })
  }
})

describe("the object of somebody without a grant", () => {
  it("stores nothing of what Clerk says", async () => {
    const userId = freshUser()
    await stubOf(userId).record([decided({ time: Date.now(), reference: "A", userId })])
    await stubOf(userId).standing()
    assert.notInclude((await stored(userId)).tables, "records")
  })

  it("has past decisions and entries erased once a webhook says that the user was deleted", async () => {
    const userId = freshUser()
    await stubOf(userId).record([decided({ time: Date.now(), reference: "A", userId })])
    await stubOf(userId).writeEntry({ name: "note", value: '"kept"' })
    clerk.deleted.add(userId)
    assert.lengthOf(await stubOf(userId).lookAgain(factsChanged(userId)), 0)
    assert.notInclude(clerk.asked, userId)
    await stubOf(userId).hear(factsChanged(userId))
    await until(async () => (await stubOf(userId).readEntry("note")) === null)
    assert.lengthOf(await stubOf(userId).decisions({ limit: 1 }), 0)
  })

  it("keeps no count for a call that is given back, of a tool that was not called", async () => {
    const userId = freshUser()
    await stubOf(userId).takeCall("rationed", { calls: 1, seconds: 60 })
    await stubOf(userId).giveBackCall("other", 1)
    assert.deepEqual(await rows(userId, "SELECT tool FROM call_times"), [{ tool: "rationed" }])
  })
})

describe("what Clerk said of a user with a grant", () => {
  const ways: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
    "a message": async (session) => (await session.post({ jsonrpc: "2.0", id: 1, method: "ping" })).text(),
    "how the account is": async ({ principal }) => stubOf(principal.userId).standing()
  }
  for (const [what, ask] of Object.entries(ways)) {
    it(`is removed within a day and an hour, by a sweep that is planned with ${what}`, async () => {
      const session = await Session.open(identityOf(freshUser()))
      const { userId } = session.principal
      await rows(userId, "DELETE FROM cf_agents_jobs")
      await evictDurableObject(stubOf(userId))
      const before = Date.now()
      await ask(session)
      const [sweep] = await sweeps(userId)
      assert.isAtLeast(Number(sweep?.["time"]), before + 3_600_000)
      await rows(userId, "UPDATE records SET expires_at = 1 WHERE key = 'clerk'")
      await rows(userId, "UPDATE cf_agents_jobs SET time = 0")
      await runDurableObjectAlarm(stubOf(userId))
      assert.lengthOf(await rows(userId, "SELECT * FROM records WHERE key = 'clerk'"), 0)
    })
  }
})
