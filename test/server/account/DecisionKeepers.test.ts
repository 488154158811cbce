import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

import { AccountStubs } from "../../../src/server/account/AccountStub.ts"
import { ofAccounts } from "../../../src/server/account/DecisionKeepers.ts"
import { AppConfig } from "../../../src/server/config/AppConfig.ts"
import { KeepAlive } from "../../../src/server/config/KeepAlive.ts"
import { Decisions } from "../../../src/server/observability/Decisions.ts"
import { FakeAccounts } from "../../../src/server/testing/index.ts"
import { decided } from "../../support/Decided.ts"
import { settings } from "../../support/TestConfig.ts"

const setting = () => {
  const accounts = new FakeAccounts()
  const kept: Array<Promise<unknown>> = []
  const log: Array<string> = []
  const config = AppConfig.decode({ ...settings, ACCOUNT_AGENT: accounts.namespace })
  const layer = ofAccounts.pipe(
    Layer.provide(AccountStubs.layer),
    Layer.provide(Layer.effect(AppConfig, Effect.orDie(config))),
    Layer.provide(Layer.succeed(KeepAlive, (work) => void kept.push(work))),
    Layer.provideMerge(Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))]))
  )
  const stored = (user: string) =>
    Effect.promise(() => accounts.namespace.getByName(user).decisions({ limit: 50 })).pipe(
      Effect.map((found) => found.map(({ reference }) => reference).toSorted())
    )
  return { accounts, kept, log, layer, stored }
}

describe("decisions of the stateless lane", () => {
  it.effect("are collected for a second, and sent in one call for each user, which the host waits for", () => {
    const { accounts, kept, layer, stored } = setting()
    return Effect.gen(function* () {
      const { record } = yield* Decisions
      // The objects of the kit read the system's clock.
      const time = Date.now()
      yield* record(decided({ time, reference: "A" }))
      yield* TestClock.adjust("900 millis")
      yield* record(decided({ time, reference: "B" }))
      yield* record(decided({ time, reference: "C", userId: "user_mina" }))
      assert.deepEqual(accounts.recorded, [])
      assert.lengthOf(kept, 2)
      yield* TestClock.adjust("100 millis")
      assert.deepEqual(accounts.recorded, [2])
      yield* TestClock.adjust("1 second")
      yield* Effect.promise(() => Promise.all(kept))
      assert.deepEqual(accounts.recorded, [2, 1])
      assert.deepEqual(yield* stored("user_ada"), ["A", "B"])
      assert.deepEqual(yield* stored("user_mina"), ["C"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("are at most a hundred in one call", () => {
    const { accounts, layer } = setting()
    return Effect.gen(function* () {
      const { record } = yield* Decisions
      for (let count = 0; count < 150; count++) yield* record(decided({ reference: `R${count}` }))
      yield* TestClock.adjust("1 second")
      assert.deepEqual(accounts.recorded, [100, 50])
    }).pipe(Effect.provide(layer))
  })

  it.effect(
    "are collected for a bounded number of users: beyond it, those of whom nothing came for the longest wait alone",
    () => {
      const { accounts, layer } = setting()
      return Effect.gen(function* () {
        const { record } = yield* Decisions
        yield* record(decided({ reference: "A" }))
        for (let user = 0; user < 2_000; user++) yield* record(decided({ reference: "R", userId: `user_${user}` }))
        yield* record(decided({ reference: "B" }))
        yield* TestClock.adjust("1 second")
        assert.lengthOf(accounts.recorded, 2_002)
        assert.isTrue(accounts.recorded.every((rows) => rows === 1))
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("are sent again where the object is being replaced", () => {
    const { accounts, log, layer } = setting()
    return Effect.gen(function* () {
      const { record } = yield* Decisions
      accounts.failures = 2
      yield* record(decided())
      yield* TestClock.adjust("10 seconds")
      assert.deepEqual(accounts.recorded, [1])
      assert.lengthOf(log, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("are named in the log by their references where they cannot be delivered", () => {
    const { accounts, kept, log, layer } = setting()
    return Effect.gen(function* () {
      const { record } = yield* Decisions
      accounts.failures = 10
      yield* record(decided({ reference: "LOST2222" }))
      yield* TestClock.adjust("10 seconds")
      yield* Effect.promise(() => Promise.all(kept))
      assert.deepEqual(accounts.recorded, [])
      assert.lengthOf(log, 2)
      assert.include(log[1], '"references":["LOST2222"]')
      assert.include(log[1], '"reason":"AccountUnavailable"')
    }).pipe(Effect.provide(layer))
  })
})
