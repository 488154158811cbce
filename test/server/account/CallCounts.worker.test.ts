import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert, describe, it } from "vitest"

import { AccountStubs } from "../../../src/server/account/AccountStub.ts"
import { ofAccounts } from "../../../src/server/account/CallCounts.ts"
import { CallCounts } from "../../../src/server/capability/CallLimit.ts"
import { AppConfig } from "../../../src/server/config/AppConfig.ts"
import type { UserId } from "../../../src/server/domain/Principal.ts"
import {
  accountClosed,
  call,
  freshUser,
  identityOf,
  messagesOf,
  Session,
  stubOf
} from "../../support/sessions/Sessions.ts"
import { clerk } from "../../support/sessions/Worker.ts"

const limit = { calls: 2, seconds: 60 }

const inWorker = ofAccounts.pipe(
  Layer.provide(AccountStubs.layer),
  Layer.provide(Layer.mock(AppConfig, env as unknown as AppConfig["Service"]))
)

/** Counts a call where requests without a session are served: the user's object is somewhere else. */
const take = (userId: UserId, tool = "rationed") =>
  Effect.runPromise(
    Effect.flatMap(CallCounts, (counts) => counts.take(userId, tool, limit)).pipe(Effect.provide(inWorker))
  )

const said = async (session: Session, id: number): Promise<string> => {
  const messages = await messagesOf(await session.post(call(id, "rationed")))
  return messages.at(-1).result.content[0].text
}

describe("the calls of a user to a tool that has a limit", () => {
  it("are one count for requests with a session and without one, which the object keeps while it sleeps", async () => {
    const ada = freshUser()
    const session = await Session.open(identityOf(ada))
    assert.include(await said(session, 1), "rationed")
    assert.strictEqual((await take(ada))._tag, "Taken")
    assert.match(await said(session, 2), /^This tool may be called 2 times in 60 seconds\. Wait (?:59|60) seconds/u)
    await evictDurableObject(stubOf(ada))
    assert.match(await said(session, 3), /^This tool may be called 2 times in 60 seconds\./u)
    const refused = await take(ada)
    assert(refused._tag === "Refused")
    assert.isAtLeast(refused.seconds, 50)
    assert.strictEqual((await take(freshUser()))._tag, "Taken")
    assert.strictEqual((await take(ada, "other"))._tag, "Taken")
  })

  it("are exactly as many as may be, of many at once", async () => {
    const ada = freshUser()
    const counted = await Promise.all(Array.from({ length: 50 }, () => take(ada)))
    assert.lengthOf(
      counted.filter(({ _tag }) => _tag === "Taken"),
      2
    )
  })

  it("are given back one by one", async () => {
    const ada = freshUser()
    const [first] = [await take(ada), await take(ada)]
    assert(first._tag === "Taken")
    await stubOf(ada).giveBackCall("rationed", first.at)
    assert.deepEqual([(await take(ada))._tag, (await take(ada))._tag], ["Taken", "Refused"])
  })

  it("are erased with what else is stored for a user who was deleted", async () => {
    const ada = freshUser()
    await take(ada)
    clerk.deleted.add(ada)
    await stubOf(ada).hear(accountClosed(ada, true))
    await runDurableObjectAlarm(stubOf(ada))
    const rows = await runInDurableObject(stubOf(ada), (_, { storage }) =>
      storage.sql.exec("SELECT * FROM call_times").toArray()
    )
    assert.deepEqual(rows, [])
  })
})
