import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

import { AccessEvent, AccessEvents } from "../../../src/server/access/AccessEvents.ts"
import { AccountStubs, hearInAccount } from "../../../src/server/account/AccountStub.ts"
import { GrantId, UserId } from "../../../src/server/domain/Principal.ts"
import { FakeAccounts } from "../../../src/server/testing/FakeAccounts.ts"
import { testConfig } from "../../support/TestConfig.ts"

/** Tells of an end while the user's object fails so many times, and lets some seconds pass. */
const tellingTo = (failures: number, { overloaded = false, seconds = 10 } = {}) =>
  Effect.gen(function* () {
    const [agents, log]: [FakeAccounts, Array<string>] = [new FakeAccounts(), []]
    const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))])
    agents.failures = failures
    agents.overloaded = overloaded
    yield* Effect.gen(function* () {
      const { publish } = yield* AccessEvents
      const grant = { userId: UserId.make("user_ada"), grantId: GrantId.make("grant") }
      yield* publish(AccessEvent.cases.GrantEnded.make(grant))
      yield* TestClock.adjust(`${seconds} seconds`)
    }).pipe(
      Effect.provide(
        AccessEvents.heardBy(hearInAccount).pipe(
          Layer.provide(AccountStubs.layer),
          Layer.provide(testConfig({ ACCOUNT_AGENT: agents.namespace })),
          Layer.provide(logger)
        )
      )
    )
    return { ended: agents.ended, log }
  })

describe("the object of a user", () => {
  it.effect("is told of the end of a grant once it can be reached again", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* tellingTo(4), { ended: ["user_ada grant"], log: [] })
    })
  )

  it.effect("is left alone for a while if it has too much to do", () =>
    Effect.gen(function* () {
      assert.isEmpty((yield* tellingTo(1, { overloaded: true, seconds: 3.9 })).ended)
      assert.lengthOf((yield* tellingTo(1, { overloaded: true })).ended, 1)
    })
  )

  it.effect("fails nobody when it cannot be reached, but leaves a note", () =>
    Effect.gen(function* () {
      const { ended, log } = yield* tellingTo(99)
      assert.deepStrictEqual(ended, [])
      assert.lengthOf(log, 1)
      assert.include(log[0], "The sessions of ended grants were not ended")
      assert.include(log[0], '"operation":"GrantEnded"')
      assert.notInclude(log[0], "internal detail")
    })
  )

  it.effect("leaves a line in the log when it does not answer a request", () =>
    Effect.gen(function* () {
      const [agents, log]: [FakeAccounts, Array<string>] = [new FakeAccounts(), []]
      const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))])
      agents.failures = 1
      const asked = Effect.flatMap(AccountStubs, (accounts) => accounts.forUser(UserId.make("user_ada")).grants).pipe(
        Effect.provide([Layer.provide(AccountStubs.layer, testConfig({ ACCOUNT_AGENT: agents.namespace })), logger])
      )
      assert.strictEqual((yield* Effect.flip(asked)).operation, "grants")
      assert.lengthOf(log, 1)
      assert.include(log[0], "The object of a user did not answer")
      assert.include(log[0], '"operation":"grants"')
      assert.notInclude(log[0], "internal detail")
      assert.include(log[0], '"userId":"user_ada"')
    })
  )
})
