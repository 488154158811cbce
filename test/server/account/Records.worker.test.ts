import { runInDurableObject } from "cloudflare:test"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { assert, describe, it } from "vitest"

import { Records } from "../../../src/server/account/Records.ts"
import { recordsCases } from "../../support/RecordsCases.ts"
import { freshUser, stubOf } from "../../support/sessions/Sessions.ts"

/** Runs a program on the records of an object, as an instance of it finds them. */
const instance = <A>(storage: DurableObjectStorage, program: Effect.Effect<A, never, Records>) =>
  Effect.runPromise(Effect.provide(program, Layer.merge(Records.layerSql(storage), TestClock.layer())))

const commit = (...changes: Parameters<Records["Service"]["commit"]>[0]) =>
  Effect.flatMap(Records, (records) => records.commit(changes))

const tables = ({ sql }: DurableObjectStorage) =>
  sql.exec("SELECT name FROM sqlite_master WHERE name LIKE 'records%' ORDER BY name").toArray().length

describe("records in a Durable Object", () => {
  for (const [name, test] of Object.entries(recordsCases)) {
    it(name, () => runInDurableObject(stubOf(freshUser()), (_, { storage }) => instance(storage, test)))
  }

  it("leave no table in an object that wrote none", () =>
    runInDurableObject(stubOf(freshUser()), async (_, { storage }) => {
      const look = Effect.gen(function* () {
        const records = yield* Records
        yield* records.get("a")
        yield* records.list("")
        yield* records.sweep(10)
        yield* records.commit([{ key: "a", value: null }])
        yield* records.commit([])
      })
      await instance(storage, look)
      assert.strictEqual(tables(storage), 0)
      await instance(storage, commit({ key: "a", value: "1", expiresAt: null }))
      assert.strictEqual(tables(storage), 2)
    }))

  it("are there for the next instance of the object", () =>
    runInDurableObject(stubOf(freshUser()), async (_, { storage }) => {
      await instance(storage, commit({ key: "a", value: "é", expiresAt: 5_000 }))
      const found = await instance(
        storage,
        Effect.flatMap(Records, (records) => records.list("a"))
      )
      assert.deepEqual(found, [{ key: "a", value: "é", expiresAt: 5_000 }])
    }))
})
