import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

import * as SingleFlight from "../../../src/server/access/SingleFlight.ts"

const counted = Effect.gen(function* () {
  const gate = yield* Deferred.make<void>()
  const started: Array<string> = []
  const run = (key: string) =>
    Effect.suspend(() => {
      started.push(key)
      return Effect.as(Deferred.await(gate), started.length)
    })
  return { started, run, open: Deferred.succeed(gate, undefined) }
})

describe("SingleFlight", () => {
  it.effect("runs once for a key, and separately for another", () =>
    Effect.gen(function* () {
      const { started, run, open } = yield* counted
      const share = SingleFlight.make<number, never>(() => {})
      const all = yield* Effect.forkChild(
        Effect.forEach(["a", "b", "a", "a"], (key) => share(key, run(key)), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      yield* open
      assert.deepStrictEqual(yield* Fiber.join(all), [1, 2, 1, 1])
      assert.deepStrictEqual(started, ["a", "b"])
    })
  )

  it.effect("runs again once the run is over", () =>
    Effect.gen(function* () {
      const { started, run, open } = yield* counted
      yield* open
      const share = SingleFlight.make<number, never>(() => {})
      yield* share("a", run("a"))
      yield* share("a", run("a"))
      assert.deepStrictEqual(started, ["a", "a"])
    })
  )

  it.effect("shares failures and defects, and remembers neither", () =>
    Effect.gen(function* () {
      const share = SingleFlight.make<string, string>(() => {})
      const both = [share("a", Effect.fail("no")), share("a", Effect.succeed("not run"))]
      const exits = yield* Effect.all(both.map(Effect.exit), { concurrency: "unbounded" })
      assert.deepStrictEqual(exits, [Exit.fail("no"), Exit.fail("no")])
      assert.deepStrictEqual(yield* Effect.exit(share("a", Effect.die("bug"))), Exit.die("bug"))
      assert.strictEqual(yield* share("a", Effect.succeed("yes")), "yes")
    })
  )
})
