import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"

import { AccountStubs } from "../../../src/server/account/AccountStub.ts"
import { ofAccounts } from "../../../src/server/account/UserStores.ts"
import { UserStore, type UserStoreError } from "../../../src/server/capability/UserStore.ts"
import { defaultLimits } from "../../../src/server/capability/UserStoreWrite.ts"
import { AppConfig } from "../../../src/server/config/AppConfig.ts"
import { CurrentPrincipal, type UserId } from "../../../src/server/domain/Principal.ts"
import { accountClosed, freshUser, identityOf, stubOf } from "../../support/sessions/Sessions.ts"
import { clerk } from "../../support/sessions/Worker.ts"

const Count = UserStore.entry("count", Schema.Int)
const Note = UserStore.entry("note", Schema.String)

const increment = Count.modify((count) => {
  const next = Option.getOrElse(count, () => 0) + 1
  return [next, next]
})

/** What the Worker logs. */
const log: Array<string> = []

const inWorker = ofAccounts.pipe(
  Layer.provide(AccountStubs.layer),
  Layer.provide(Layer.mock(AppConfig, env as unknown as AppConfig["Service"])),
  Layer.provideMerge(Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))]))
)

/** Runs a program where requests without a session are served: the user's object is somewhere else. */
const runFor = <A>(userId: UserId, program: Effect.Effect<A, UserStoreError, UserStore | CurrentPrincipal>) =>
  Effect.runPromise(program.pipe(Effect.provideService(CurrentPrincipal, identityOf(userId)), Effect.provide(inWorker)))

/** Why it failed. */
const reasonOf = <A>(userId: UserId, program: Effect.Effect<A, UserStoreError, UserStore | CurrentPrincipal>) =>
  runFor(userId, Effect.match(program, { onFailure: ({ reason }) => reason._tag, onSuccess: () => "it did not fail" }))

describe("what is stored for a user", () => {
  it("outlives the instance of the object, and is nobody else's", async () => {
    const [ada, mina] = [freshUser(), freshUser()]
    await runFor(ada, Note.set("é".repeat(1_000)))
    await evictDurableObject(stubOf(ada))
    assert.deepEqual(await runFor(ada, Note.get), Option.some("é".repeat(1_000)))
    assert.deepEqual(await runFor(mina, Note.get), Option.none())
    await runFor(ada, Note.remove)
    assert.deepEqual(await runFor(ada, Note.get), Option.none())
  })

  it("loses no modification, of 50 at once and with some that are made in the object", async () => {
    const ada = freshUser()
    const modified = Array.from({ length: 50 }, () => runFor(ada, increment))
    const inObject = Array.from({ length: 5 }, async () => {
      const stub = stubOf(ada)
      for (;;) {
        const expected = await stub.readEntry("count")
        const written = await stub.writeEntry({ name: "count", value: `${Number(expected) + 1}`, expected })
        if (written._tag === "Done") return
      }
    })
    const answers = await Promise.all(modified)
    await Promise.all(inObject)
    assert.strictEqual(new Set(answers).size, 50)
    assert.deepEqual(await runFor(ada, Count.get), Option.some(55))
  })

  it("is refused where it is too long, before it travels and in the object", async () => {
    const ada = freshUser()
    await runFor(ada, Note.set("kept"))
    const long = "x".repeat(defaultLimits.valueBytes)
    assert.strictEqual(await reasonOf(ada, Note.set(long)), "ValueTooLarge")
    const written = await stubOf(ada).writeEntry({ name: "note", value: JSON.stringify(long) })
    assert.deepInclude(written, { _tag: "TooLarge", bytes: long.length + 2 })
    assert.deepEqual(await runFor(ada, Note.get), Option.some("kept"))
  })

  it("is refused where all entries together would be too much, and nothing is lost", async () => {
    const ada = freshUser()
    const text = "x".repeat(defaultLimits.valueBytes - 2)
    const entries = Array.from({ length: 16 }, (_, index) => UserStore.entry(`entry-${index}`, Schema.String))
    for (const entry of entries.slice(0, 15)) await runFor(ada, entry.set(text))
    // Sixteen of 64 KiB are 1 MiB, without their names.
    assert.strictEqual(await reasonOf(ada, entries[15]!.set(text)), "UserStoreFull")
    await evictDurableObject(stubOf(ada))
    assert.strictEqual(await reasonOf(ada, entries[15]!.set(text)), "UserStoreFull")
    for (const entry of entries.slice(0, 15)) assert.deepEqual(await runFor(ada, entry.get), Option.some(text))
    await runFor(ada, entries[0]!.remove)
    await runFor(ada, entries[15]!.set(text))
  })

  const storedFor = (userId: UserId) =>
    runInDurableObject(stubOf(userId), (_, { storage }) => storage.sql.exec("SELECT * FROM user_entries").toArray())
  /** Has the erasure done that is due by now. */
  const erased = async (userId: UserId) => {
    await runDurableObjectAlarm(stubOf(userId))
    return (await storedFor(userId)).length === 0
  }

  it("stays while the account is banned", async () => {
    const ada = freshUser()
    await runFor(ada, Note.set("kept"))
    await stubOf(ada).hear(accountClosed(ada))
    assert.isFalse(await erased(ada))
    assert.deepEqual(await runFor(ada, Note.get), Option.some("kept"))
  })

  it("is erased once the user is deleted, and stays where Clerk knows the user after all", async () => {
    const [ada, mina] = [freshUser(), freshUser()]
    clerk.deleted.add(ada)
    for (const user of [ada, mina]) {
      await runFor(user, Note.set("kept"))
      await stubOf(user).hear(accountClosed(user, true))
    }
    assert.isTrue(await erased(ada))
    assert.isFalse(await erased(mina))
    assert.deepEqual(await runFor(mina, Note.get), Option.some("kept"))
  })

  it("cannot be had where the object fails, and the log says nothing of it", async () => {
    const ada = freshUser()
    await runFor(ada, Note.set("what-only-Ada-knows"))
    await runInDurableObject(stubOf(ada), (_, { storage }) => {
      storage.sql.exec("DROP TABLE user_entries")
    })
    log.length = 0
    for (const failing of [Effect.asVoid(Note.get), Note.set("what-only-Ada-knows")]) {
      assert.strictEqual(await reasonOf(ada, failing), "UserStoreUnavailable")
    }
    assert.lengthOf(log, 2)
    assert.include(log[0], '"operation":"readEntry"')
    assert.notInclude(log.join("\n"), "what-only-Ada-knows")
  })
})
