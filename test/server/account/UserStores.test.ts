import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { AccountStubs } from "../../../src/server/account/AccountStub.ts"
import { ofAccounts } from "../../../src/server/account/UserStores.ts"
import { UserStore } from "../../../src/server/capability/UserStore.ts"
import { request } from "../../support/People.ts"
import { testConfig } from "../../support/TestConfig.ts"

const Note = UserStore.entry("note", Schema.String)

/** The object of every user, which fails so many times first. */
const failing = (failures: number, overloaded = false) => {
  const asked: Array<string> = []
  const answer = <A>(operation: string, value: A): A => {
    asked.push(operation)
    if (asked.length <= failures) throw Object.assign(new Error("the object was reset"), { overloaded })
    return value
  }
  const namespace = {
    getByName: () => ({
      readEntry: async () => answer("read", `"kept"`),
      writeEntry: async () => answer("write", { _tag: "Done" })
    })
  }
  const layer = ofAccounts.pipe(
    Layer.provide(AccountStubs.layer),
    Layer.provide(testConfig({ ACCOUNT_AGENT: namespace })),
    Layer.merge(request())
  )
  const run = <A, E>(program: Effect.Effect<A, E, Layer.Success<typeof layer>>) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.provide(program, layer), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      return yield* Fiber.join(fiber)
    })
  return { asked, run }
}

describe("the store of a user whose object is being replaced", () => {
  it.effect("is read once the object is back", () =>
    Effect.gen(function* () {
      const { asked, run } = failing(2)
      assert.deepStrictEqual(yield* run(Note.get), Option.some("kept"))
      assert.deepStrictEqual(asked, ["read", "read", "read"])
    })
  )

  it.effect("is unavailable where it is not back soon", () =>
    Effect.gen(function* () {
      const { asked, run } = failing(9)
      assert.strictEqual((yield* run(Effect.flip(Note.get))).reason._tag, "UserStoreUnavailable")
      assert.lengthOf(asked, 3)
    })
  )

  it.effect("is left alone where it has too much to do", () =>
    Effect.gen(function* () {
      const { asked, run } = failing(9, true)
      assert.strictEqual((yield* run(Effect.flip(Note.get))).reason._tag, "UserStoreUnavailable")
      assert.lengthOf(asked, 1)
    })
  )

  it.effect("is not written twice: the first time may have been enough", () =>
    Effect.gen(function* () {
      const { asked, run } = failing(1)
      assert.strictEqual((yield* run(Effect.flip(Note.set("new")))).reason._tag, "UserStoreUnavailable")
      assert.deepStrictEqual(asked, ["write"])
    })
  )
})
