import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { unavailable, UserStore, type UserStoreError } from "../../../src/server/capability/UserStore.ts"
import {
  defaultLimits,
  limitsOf,
  outcome,
  sizeOf,
  UserStoreLimits
} from "../../../src/server/capability/UserStoreWrite.ts"
import { type CurrentPrincipal, UserId } from "../../../src/server/domain/Principal.ts"
import { request } from "../../support/People.ts"

const Preferences = UserStore.entry("preferences", Schema.Struct({ language: Schema.String, since: Schema.Date }))
const Count = UserStore.entry("count", Schema.Int)
const Note = UserStore.entry("note", Schema.String)
const schema = Schema.Struct({
  text: Schema.String,
  when: Schema.Date,
  tags: Schema.Array(Schema.Boolean),
  no: Schema.NullOr(Schema.String)
})
const Anything = { schema, entry: UserStore.entry("anything", schema) }
const confidential = "what-only-Ada-knows"

const ofAda = Layer.merge(UserStore.layerMemory, request())
const increment = Count.modify((count) => {
  const next = Option.getOrElse(count, () => 0) + 1
  return [next, next]
})
const stored = (name: string) => Effect.flatMap(UserStore, (store) => store.read(name))
const store = (name: string, value: string) => Effect.flatMap(UserStore, (store) => store.write({ name, value }))
const reasonOf = <A, R>(failing: Effect.Effect<A, UserStoreError, R>) =>
  Effect.map(Effect.flip(failing), ({ reason }) => reason)

describe("an entry of the user's store", () => {
  it.effect("holds a value from `set` to `remove`, as JSON of its schema", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Preferences.get, Option.none())
      yield* Preferences.remove
      const value = { language: "de", since: new Date(0) }
      yield* Preferences.set(value)
      assert.deepStrictEqual(yield* Preferences.get, Option.some(value))
      assert.strictEqual(yield* stored("preferences"), `{"language":"de","since":"1970-01-01T00:00:00.000Z"}`)
      yield* Preferences.remove
      assert.deepStrictEqual(yield* Preferences.get, Option.none())
    }).pipe(Effect.provide(ofAda))
  )

  it.effect("is one for each user and each name", () =>
    Effect.gen(function* () {
      yield* Note.set("of Ada")
      const mina = request({}, { userId: UserId.make("user_mina") })
      yield* Effect.provide(Effect.andThen(Note.get, Note.set("of Mina")), mina)
      assert.deepStrictEqual(yield* Note.get, Option.some("of Ada"))
      assert.deepStrictEqual(yield* Effect.provide(Note.get, mina), Option.some("of Mina"))
      assert.deepStrictEqual(yield* Count.get, Option.none())
    }).pipe(Effect.provide(ofAda))
  )

  it.effect("is modified from its value, or from none, with an answer", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* increment, 1)
      assert.strictEqual(yield* increment, 2)
      assert.strictEqual(yield* Count.modify((count) => [Option.getOrThrow(count), 40]), 2)
      assert.deepStrictEqual(yield* Count.get, Option.some(40))
    }).pipe(Effect.provide(ofAda))
  )

  it.effect("loses no modification of many at once", () =>
    Effect.gen(function* () {
      const { read, write } = yield* UserStore
      const slowly = UserStore.of({ read: (name) => Effect.tap(read(name), Effect.sleep("5 millis")), write })
      const all = Effect.all(
        Array.from({ length: 50 }, () => increment),
        { concurrency: "unbounded" }
      )
      const fiber = yield* Effect.forkChild(Effect.provideService(all, UserStore, slowly))
      yield* TestClock.adjust("30 seconds")
      const answers = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        answers.toSorted((one, other) => one - other),
        Array.from({ length: 50 }, (_, index) => index + 1)
      )
      assert.deepStrictEqual(yield* Count.get, Option.some(50))
    }).pipe(Effect.provide(ofAda))
  )

  it.effect("gives up where others are first 17 times, after 10 s at most", () =>
    Effect.gen(function* () {
      let tries = 0
      const contended = UserStore.of({
        read: () => Effect.succeed("1"),
        write: () => Effect.sync(() => ({ _tag: "Changed" as const, tries: ++tries }))
      })
      const fiber = yield* Effect.forkChild(Effect.provideService(reasonOf(increment), UserStore, contended), {
        startImmediately: true
      })
      assert.strictEqual(tries, 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "ModifyConflict")
      assert.strictEqual(tries, 17)
    }).pipe(Effect.provide(request()))
  )

  it.effect("does not write what it holds already", () =>
    Effect.gen(function* () {
      const readOnly = UserStore.of({ read: () => Effect.succeed("7"), write: () => Effect.die("written") })
      const same = Count.modify((count) => ["the same", Option.getOrThrow(count)])
      assert.strictEqual(yield* Effect.provideService(same, UserStore, readOnly), "the same")
    }).pipe(Effect.provide(request()))
  )

  for (const [what, value] of [
    ["not JSON", confidential],
    ["JSON of another schema", JSON.stringify({ [confidential]: confidential })]
  ] as const) {
    it.effect(`that is ${what} is a failure that repeats nothing of it, and stays`, () =>
      Effect.gen(function* () {
        yield* store("count", value)
        for (const reading of [Effect.asVoid(Count.get), Effect.asVoid(increment)]) {
          const error = yield* Effect.flip(reading)
          assert.strictEqual(error.reason._tag, "ValueUndecodable")
          assert.notInclude(`${error.message}${JSON.stringify(error)}${error.stack}`, confidential)
        }
        assert.strictEqual(yield* stored("count"), value)
        yield* Count.set(1)
        assert.deepStrictEqual(yield* Count.get, Option.some(1))
      }).pipe(Effect.provide(ofAda))
    )
  }

  it.effect("reads what an earlier schema wrote, where the later one has a default", () =>
    Effect.gen(function* () {
      const before = UserStore.entry("view", Schema.Struct({ sort: Schema.String }))
      const size = Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(20)))
      const after = UserStore.entry("view", Schema.Struct({ sort: Schema.String, size }))
      yield* before.set({ sort: "name" })
      assert.deepStrictEqual(yield* after.get, Option.some({ sort: "name", size: 20 }))
    }).pipe(Effect.provide(ofAda))
  )

  it.effect("takes no value that its schema refuses, and tells nobody which", () =>
    Effect.gen(function* () {
      const Short = UserStore.entry("short", Schema.String.check(Schema.isMaxLength(3)))
      const exit = yield* Effect.exit(Short.set(confidential))
      assert.isTrue(Exit.hasDies(exit))
      assert.notInclude(JSON.stringify(exit), confidential)
      assert.deepStrictEqual(yield* Short.get, Option.none())
    }).pipe(Effect.provide(ofAda))
  )

  it.effect("fails as the store does, without another try", () =>
    Effect.gen(function* () {
      const away = UserStore.of({ read: () => Effect.fail(unavailable), write: () => Effect.fail(unavailable) })
      const every: ReadonlyArray<Effect.Effect<unknown, UserStoreError, UserStore | CurrentPrincipal>> = [
        Count.get,
        Count.set(1),
        increment,
        Count.remove
      ]
      for (const one of every) {
        assert.strictEqual((yield* Effect.provideService(reasonOf(one), UserStore, away))._tag, "UserStoreUnavailable")
      }
    }).pipe(Effect.provide(request()))
  )

  for (const name of ["", "two words", "ä", "x".repeat(65)]) {
    it(`has no name such as ${JSON.stringify(name)}`, () => {
      assert.throws(() => UserStore.entry(name, Schema.String))
    })
  }

  it.effect.prop("gives back every value of its schema", [Anything.schema], ([value]) =>
    Effect.gen(function* () {
      yield* Anything.entry.set(value)
      assert.deepStrictEqual(yield* Anything.entry.get, Option.some(value))
    }).pipe(Effect.provide(ofAda))
  )
})

describe("the limits of a user's store", () => {
  const limits = { ...defaultLimits, valueBytes: 100, userBytes: 600 }
  const limited = <A, E, R>(test: Effect.Effect<A, E, R>) =>
    test.pipe(Effect.provideService(UserStoreLimits, limits), Effect.provide(ofAda))

  it("are 64 KiB and 1 MiB unless a team says otherwise, and a value never has more than a row holds", () => {
    assert.deepStrictEqual(limitsOf(), { valueBytes: 65_536, userBytes: 1_048_576, eraseAfterDays: 7 })
    assert.deepInclude(limitsOf({ userBytes: 5 }), { valueBytes: 65_536, userBytes: 5 })
    assert.strictEqual(limitsOf({ valueBytes: 10_000_000 }).valueBytes, 1_048_576)
  })

  it.effect("refuse a value that is too long, and keep the one before", () =>
    limited(
      Effect.gen(function* () {
        yield* Note.set("x".repeat(98))
        // Two bytes each, and two quotes.
        const error = yield* Effect.flip(Note.set("é".repeat(50)))
        assert.deepInclude(error.reason, { _tag: "ValueTooLarge", entry: "note", bytes: 102, limit: 100 })
        assert.include(error.message, "102 bytes")
        const modified = yield* reasonOf(Note.modify((note) => ["", `${Option.getOrThrow(note)}x`]))
        assert.strictEqual(modified._tag, "ValueTooLarge")
        assert.deepStrictEqual(yield* Note.get, Option.some("x".repeat(98)))
      })
    )
  )

  it.effect("refuse what does not fit beside the rest, until there is room", () =>
    limited(
      Effect.gen(function* () {
        const entries = ["a", "b", "c"].map((name) => UserStore.entry(name, Schema.String))
        const [a, b, c] = [entries[0]!, entries[1]!, entries[2]!]
        yield* a.set("x".repeat(98))
        yield* b.set("x".repeat(98))
        assert.deepInclude(yield* reasonOf(c.set("x".repeat(98))), { _tag: "UserStoreFull", entry: "c", limit: 600 })
        assert.deepStrictEqual(yield* c.get, Option.none())
        // As long as before, and shorter.
        yield* a.set("y".repeat(98))
        yield* a.set("y")
        yield* c.set("x".repeat(10))
        yield* b.remove
        yield* c.set("x".repeat(98))
      })
    )
  )

  it.effect("leave alone what was stored under higher ones, as long as it does not grow", () =>
    Effect.gen(function* () {
      const [a, b] = [UserStore.entry("a", Schema.String), UserStore.entry("b", Schema.String)]
      for (const entry of [a, b]) yield* entry.set("x".repeat(500))
      const lowered = Effect.provideService(UserStoreLimits, { ...defaultLimits, valueBytes: 1_000, userBytes: 600 })
      yield* lowered(a.set("y".repeat(500)))
      assert.strictEqual((yield* reasonOf(lowered(a.set("y".repeat(501)))))._tag, "UserStoreFull")
      yield* lowered(a.set("z"))
      assert.deepStrictEqual(yield* lowered(b.get), Option.some("x".repeat(500)))
    }).pipe(Effect.provide(ofAda))
  )

  it("count name, JSON and 128 bytes of an entry", () => {
    assert.strictEqual(sizeOf("note", `"é"`), 4 + 4 + 128)
  })

  const names = Schema.Literals(["a", "bb", "ccc", "dddd", "eeeee", "ffffff"])
  const Change = Schema.Struct({
    name: names,
    value: Schema.NullOr(Schema.String),
    expects: Schema.Literals(["nothing", "what is there", "something else"])
  })
  it.effect.prop(
    "hold whatever is written, and a change is made whole or not at all",
    [Schema.Array(Change)],
    ([changes]) =>
      limited(
        Effect.gen(function* () {
          const model = new Map<string, string>()
          const total = () => [...model].reduce((sum, [name, value]) => sum + sizeOf(name, value), 0)
          for (const { name, value, expects } of changes) {
            const current = model.get(name) ?? null
            const expected =
              expects === "nothing" ? {} : { expected: expects === "what is there" ? current : `${current} else` }
            const write = { name, value, ...expected }
            const foreseen = outcome(write, current, total(), limits)
            const written = yield* Effect.flatMap(UserStore, (store) => store.write(write))
            assert.deepStrictEqual(written, foreseen)
            assert.strictEqual(written._tag === "Changed", expects === "something else")
            if (written._tag === "Done" && value === null) model.delete(name)
            if (written._tag === "Done" && value !== null) model.set(name, value)
            assert.strictEqual(yield* stored(name), model.get(name) ?? null)
            assert.isAtMost(total(), limits.userBytes)
            for (const kept of model.values()) assert.isAtMost(new TextEncoder().encode(kept).length, limits.valueBytes)
          }
        })
      )
  )
})
