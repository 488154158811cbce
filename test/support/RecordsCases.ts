import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/testing/TestClock"

import { type Change, Records, type StoredRecord } from "../../src/server/account/Records.ts"

const kept = (key: string, value = key, expiresAt: number | null = null): StoredRecord => ({ key, value, expiresAt })

/** A change that cannot be made. */
const impossible: Change = {
  get key(): string {
    throw new Error("impossible")
  },
  value: "x",
  expiresAt: null
}

const keysOf = Effect.fnUntraced(function* (prefix: string, limit?: number) {
  const records = yield* Records
  return (yield* records.list(prefix, limit)).map(({ key }) => key)
})

/** What holds for the records of a user, wherever they are kept. Each case gets records of its own, at time 0. */
export const recordsCases: Readonly<Record<string, Effect.Effect<void, never, Records>>> = {
  "finds what was committed last, and nothing else": Effect.gen(function* () {
    const records = yield* Records
    assert.isUndefined(yield* records.get("a"))
    yield* records.commit([kept("a", "1"), kept("b", "2")])
    yield* records.commit([kept("a", "3", 5_000), { key: "b", value: null }, { key: "never", value: null }])
    assert.strictEqual(yield* records.get("a"), "3")
    assert.isUndefined(yield* records.get("b"))
    assert.isUndefined(yield* records.get("A"))
    assert.deepEqual(yield* records.list(""), [kept("a", "3", 5_000)])
  }),

  "takes the last of several changes of one key": Effect.gen(function* () {
    const records = yield* Records
    yield* records.commit([kept("a", "1"), { key: "a", value: null }, kept("a", "2"), { key: "b", value: null }])
    assert.deepEqual(yield* records.list(""), [kept("a", "2")])
  }),

  "lists by prefix, letter by letter, sorted, as many as are asked for": Effect.gen(function* () {
    const records = yield* Records
    const keys = ["t:b:2", "t:b:1", "t:b", "t:b~:3", "t:ba:1", "t:%:1", "t:_:1", "T:b:1", "t:c"]
    yield* records.commit(keys.map((key) => kept(key)))
    assert.deepEqual(yield* keysOf("t:b:"), ["t:b:1", "t:b:2"])
    assert.deepEqual(yield* keysOf("t:b"), ["t:b", "t:b:1", "t:b:2", "t:ba:1", "t:b~:3"])
    assert.deepEqual(yield* keysOf("t:b", 2), ["t:b", "t:b:1"])
    assert.deepEqual(yield* keysOf("t:_"), ["t:_:1"])
    assert.deepEqual(yield* keysOf("t:%"), ["t:%:1"])
    assert.lengthOf(yield* keysOf(""), keys.length)
    assert.isEmpty(yield* keysOf("nothing"))
  }),

  "does not find what has expired, from that millisecond on": Effect.gen(function* () {
    const records = yield* Records
    yield* records.commit([kept("a", "1", 1_000), kept("b")])
    yield* TestClock.setTime(999)
    assert.strictEqual(yield* records.get("a"), "1")
    yield* TestClock.setTime(1_000)
    assert.isUndefined(yield* records.get("a"))
    assert.deepEqual(yield* keysOf(""), ["b"])
    yield* records.commit([kept("a", "2", 2_000)])
    assert.strictEqual(yield* records.get("a"), "2")
  }),

  "changes nothing where one of the changes cannot be made": Effect.gen(function* () {
    const records = yield* Records
    yield* records.commit([kept("a", "1"), kept("b", "1")])
    const outcome = yield* Effect.exit(records.commit([kept("a", "2"), { key: "b", value: null }, impossible]))
    assert.isTrue(Exit.hasDies(outcome))
    assert.deepEqual(yield* records.list(""), [kept("a", "1"), kept("b", "1")])
    yield* records.commit([kept("c")])
    assert.deepEqual(yield* keysOf(""), ["a", "b", "c"])
  }),

  "commits on a condition in one step, and tells whether it did": Effect.gen(function* () {
    const records = yield* Records
    const isThere = (value: string | undefined) => value !== undefined
    assert.isFalse(yield* records.commitIf("a", isThere, [kept("b")]))
    assert.isEmpty(yield* records.list(""))
    yield* records.commit([kept("a", "1", 1_000)])
    assert.isFalse(yield* records.commitIf("a", (value) => value === "2", [kept("b")]))
    assert.isTrue(yield* records.commitIf("a", (value) => value === "1", [kept("b"), { key: "c", value: null }]))
    assert.deepEqual(yield* keysOf(""), ["a", "b"])
    yield* TestClock.setTime(1_000)
    assert.isFalse(yield* records.commitIf("a", isThere, [{ key: "b", value: null }]))
    assert.deepEqual(yield* keysOf(""), ["b"])
  }),

  "works on where the very first commit fails": Effect.gen(function* () {
    const records = yield* Records
    assert.isTrue(Exit.hasDies(yield* Effect.exit(records.commit([kept("a"), impossible]))))
    assert.isUndefined(yield* records.get("a"))
    yield* records.commit([kept("b")])
    assert.deepEqual(yield* keysOf(""), ["b"])
  }),

  "sweeps what has expired in batches, the oldest first, and tells what that was and when the next expires": Effect.gen(
    function* () {
      const records = yield* Records
      assert.deepEqual(yield* records.sweep(2), { removed: [], next: undefined })
      yield* records.commit([kept("for ever")])
      assert.deepEqual(yield* records.sweep(2), { removed: [], next: undefined })
      const times = [5_000, 1_000, 4_000, 2_000, 3_000, 9_000]
      yield* records.commit(times.map((time) => kept(`at ${time}`, "x", time)))
      assert.deepEqual(yield* records.sweep(2), { removed: [], next: 1_000 })
      yield* TestClock.setTime(5_000)
      const sweep = Effect.map(records.sweep(2), ({ removed, next }) => [...removed.toSorted(), next])
      assert.deepEqual(yield* sweep, ["at 1000", "at 2000", 3_000])
      assert.deepEqual(yield* sweep, ["at 3000", "at 4000", 5_000])
      assert.deepEqual(yield* sweep, ["at 5000", 9_000])
      assert.deepEqual(yield* sweep, [9_000])
      assert.deepEqual(yield* keysOf(""), ["at 9000", "for ever"])
    }
  )
}
