import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"

import { Access, AccessRefresh } from "../../../src/server/access/Access.ts"
import { type AccessEvent, AccessEvents } from "../../../src/server/access/AccessEvents.ts"
import { memoryRecords, memorySnapshots } from "../../../src/server/testing/MemoryStores.ts"
import * as RecordedSnapshots from "../../../src/server/account/RecordedSnapshots.ts"
import { Records } from "../../../src/server/account/Records.ts"
import { ClerkMisconfigured, ClerkUnavailable, ClerkUnexpected } from "../../../src/server/clerk/ClerkError.ts"
import { KeepAlive } from "../../../src/server/config/KeepAlive.ts"
import { UserId } from "../../../src/server/domain/Principal.ts"
import { FakeClerk } from "../../../src/server/testing/FakeClerk.ts"
import type { TestUser } from "../../../src/server/testing/TestUser.ts"

const ada = UserId.make("user_ada")
const current = (userId = ada) => Effect.flatMap(Access, (access) => access.current(userId))
const refusal = (userId = ada) => Effect.map(Effect.flip(current(userId)), ({ reason }) => reason)

/** Where nobody hears of changes. */
const untold = Layer.succeed(AccessEvents, { publish: () => Effect.void })

/** A test with a Clerk of its own that knows Ada. */
const withClerk = <A, E>(
  test: (clerk: FakeClerk) => Effect.Effect<A, E, Access | AccessRefresh>,
  ada: TestUser = { role: "admin" }
) =>
  Effect.suspend(() => {
    const clerk = new FakeClerk(ada)
    return Effect.provide(test(clerk), Layer.provide(Access.layer, [clerk.layer, untold, Layer.fresh(memorySnapshots)]))
  })

const refresh = (userId = ada) => Effect.flatMap(AccessRefresh, (access) => access.refresh(userId))

const down = new ClerkUnavailable({ operation: "users.getUser" })

describe("Access", () => {
  it.effect("tells who the user is and what they may do", () =>
    withClerk(
      () =>
        Effect.gen(function* () {
          yield* TestClock.setTime(1_000)
          const snapshot = yield* current()
          assert.deepStrictEqual(snapshot, {
            userId: ada,
            email: "ada@example.com",
            firstName: "Ada",
            lastName: "Marlowe",
            imageUrl: "https://img.clerk.example/ada",
            role: snapshot.role,
            metadata: { role: "admin" },
            memberships: snapshot.memberships,
            locked: false,
            takenAt: 1_000
          })
          assert.strictEqual(snapshot.role, "admin")
          assert.deepStrictEqual<unknown>(snapshot.memberships, [
            { id: "org_1", slug: null, name: "Acme", role: "org:admin", permissions: ["org:reports:read"] },
            { id: "org_2", slug: "organization-2", name: "Organization 2", role: "org:member", permissions: [] }
          ])
        }),
      {
        role: "admin",
        organizations: [{ slug: null, name: "Acme", role: "org:admin", permissions: ["org:reports:read"] }, {}]
      }
    )
  )

  it.effect("asks again once the snapshot is 60 s old, not before", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* current()).role, "admin")
        clerk.users.set("user_ada", { role: "guest" })
        yield* TestClock.adjust("60 seconds")
        assert.strictEqual((yield* current()).role, "admin")
        assert.strictEqual(clerk.calls, 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* current()).role, "guest")
        assert.strictEqual(clerk.calls, 2)
      })
    )
  )

  it.effect("counts the age from when Clerk was asked, for its answer may be that old", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        clerk.latency = Deferred.await(gate)
        const asking = yield* Effect.forkChild(current(), { startImmediately: true })
        yield* TestClock.adjust("4 seconds")
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual((yield* Fiber.join(asking)).takenAt, 0)
      })
    )
  )

  it.effect("waits 5 s for all that Clerk has to say of a user", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        clerk.latency = Effect.never
        const asking = yield* Effect.forkChild(refusal(), { startImmediately: true })
        yield* TestClock.adjust("4999 millis")
        assert.isUndefined(asking.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.deepInclude(Object.assign({}, yield* Fiber.join(asking)), { _tag: "AccessUnknown", passes: true })
      })
    )
  )

  it.effect("asks Clerk once for twenty questions at the same time", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        clerk.latency = Deferred.await(gate)
        const asking = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 20 }, () => current()),
            { concurrency: "unbounded" }
          ),
          {
            startImmediately: true
          }
        )
        yield* Effect.yieldNow
        yield* Deferred.succeed(gate, undefined)
        const snapshots = yield* Fiber.join(asking)
        assert.strictEqual(snapshots.length, 20)
        assert.strictEqual(clerk.calls, 1)
      })
    )
  )

  it.effect("leaves the others their answer when one that waits is interrupted, even the one that asked", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        clerk.latency = Deferred.await(gate)
        const start = Effect.forkChild(current(), { startImmediately: true })
        const [first, second, third] = [yield* start, yield* start, yield* start]
        yield* Fiber.interrupt(first)
        yield* Fiber.interrupt(second)
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual((yield* Fiber.join(third)).role, "admin")
        assert.strictEqual(clerk.calls, 1)
      })
    )
  )

  it.effect("hands the question to the host, so that it outlives the request", () =>
    Effect.gen(function* () {
      const kept: Array<Promise<unknown>> = []
      const host = Layer.succeed(KeepAlive, (work) => void kept.push(work))
      yield* current().pipe(
        Effect.provide(
          Access.layer.pipe(
            Layer.provide([new FakeClerk({}).layer, untold, Layer.fresh(memorySnapshots)]),
            Layer.provide(host)
          )
        )
      )
      assert.strictEqual(kept.length, 1)
    })
  )

  it.effect("serves the last snapshot for 5 more minutes while Clerk does not answer, then nobody", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        yield* current()
        clerk.outage = down
        yield* TestClock.adjust("6 minutes")
        assert.strictEqual((yield* current()).role, "admin")
        yield* TestClock.adjust("1 millis")
        const reason = yield* refusal()
        assert.strictEqual(reason._tag, "AccessUnknown")
        clerk.outage = undefined
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* current()).role, "admin")
      })
    )
  )

  it.effect("leaves Clerk alone as long as Clerk asked for, and says so", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        clerk.outage = new ClerkUnavailable({ operation: "users.getUser", status: 429, retryAfter: 30 })
        const waits = []
        for (const pause of ["0 seconds", "10 seconds", "19 seconds"] as const) {
          yield* TestClock.adjust(pause)
          const reason = yield* refusal()
          assert.strictEqual(reason._tag, "AccessUnknown")
          if (reason._tag === "AccessUnknown") waits.push(reason.retryAfterSeconds)
        }
        assert.deepStrictEqual(waits, [30, 20, 1])
        assert.strictEqual(clerk.calls, 1)
        clerk.outage = undefined
        yield* TestClock.adjust("1 second")
        yield* current()
        assert.strictEqual(clerk.calls, 2)
      })
    )
  )

  it.effect("asks at most every 5 s while Clerk names no time", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        clerk.outage = down
        for (let second = 0; second < 10; second++) {
          yield* refusal()
          yield* TestClock.adjust("1 second")
        }
        assert.strictEqual(clerk.calls, 2)
      })
    )
  )

  it.effect("takes no facts about somebody else", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        clerk.users.set("user_mina", { id: "user_ada", role: "admin" })
        assert.strictEqual((yield* refusal(UserId.make("user_mina")))._tag, "AccessUnknown")
      })
    )
  )

  it.effect("keeps one user's troubles from another", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        clerk.users.set("user_mina", { id: "user_mina" })
        assert.strictEqual((yield* refusal(UserId.make("user_nobody")))._tag, "AccountClosed")
        assert.isNull((yield* current(UserId.make("user_mina"))).role)
        assert.strictEqual((yield* current()).role, "admin")
      })
    )
  )

  for (const outage of [
    down,
    new ClerkMisconfigured({ operation: "users.getUser", status: 401 }),
    new ClerkUnexpected({ operation: "users.getUser", detail: "not as documented" })
  ]) {
    it.effect(`refuses a user it never saw: ${outage._tag}`, () =>
      withClerk((clerk) =>
        Effect.gen(function* () {
          clerk.outage = outage
          const reason = yield* refusal()
          assert.strictEqual(reason._tag, "AccessUnknown")
          const words =
            outage === down ? /Please try again in a moment\.$/u : /operator .* has to correct its Clerk settings\.$/u
          assert.match(reason.message, words)
        })
      )
    )
  }

  it.effect("closes a banned account, and opens it when the ban is lifted", () =>
    withClerk(
      (clerk) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* refusal())._tag, "AccountClosed")
          clerk.users.set("user_ada", {})
          yield* TestClock.adjust("61 seconds")
          assert.strictEqual((yield* current()).userId, ada)
        }),
      { banned: true }
    )
  )

  it.effect("closes an account that was deleted since, also while Clerk does not answer", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        yield* current()
        clerk.users.delete("user_ada")
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual((yield* refusal())._tag, "AccountClosed")
        clerk.outage = down
        yield* TestClock.adjust("61 seconds")
        assert.strictEqual((yield* refusal())._tag, "AccountClosed")
      })
    )
  )

  for (const role of [7, true, null, ["admin"], { name: "admin" }, "", "x".repeat(101)]) {
    it.effect(`takes no role from ${JSON.stringify(role).slice(0, 20)}`, () =>
      withClerk(() => Effect.map(current(), (snapshot) => assert.isNull(snapshot.role)), { role })
    )
  }
})

describe("what Access publishes", () => {
  /** Asks as a new instance of the user's object does, each time with nothing in memory but what its records hold. */
  const instances = (user: TestUser) =>
    Effect.gen(function* () {
      const [clerk, told]: [FakeClerk, Array<AccessEvent>] = [new FakeClerk(user), []]
      const events = Layer.succeed(AccessEvents, { publish: (event) => Effect.sync(() => void told.push(event)) })
      const records = yield* Effect.provide(Records, Layer.fresh(memoryRecords))
      yield* records.commit([{ key: `grant:${ada}:1`, value: "a grant", expiresAt: null }])
      const snapshots = Layer.provide(Layer.fresh(RecordedSnapshots.layer), Layer.succeed(Records, records))
      const instance = Layer.provide(Layer.fresh(Access.layer), [clerk.layer, events, snapshots])
      /** Has the new instance ask twice, and tells what was published until then. */
      const ask = Effect.gen(function* () {
        yield* TestClock.adjust("61 seconds")
        yield* Effect.exit(current()).pipe(
          Effect.andThen(TestClock.adjust("61 seconds")),
          Effect.andThen(Effect.exit(current())),
          Effect.provide(instance)
        )
        return told.map((event) => (event._tag === "AccountClosed" ? `${event._tag} ${event.deleted}` : event._tag))
      })
      return { clerk, ask }
    })

  it.effect("is each change of what the user may use, once, whichever instance finds it", () =>
    Effect.gen(function* () {
      const { clerk, ask } = yield* instances({ role: "admin" })
      assert.deepEqual(yield* ask, [])
      clerk.users.set("user_ada", { role: "guest" })
      assert.deepEqual(yield* ask, ["AccessChanged"])
      assert.deepEqual(yield* ask, ["AccessChanged"])
      clerk.users.set("user_ada", { role: "guest", organizations: [{ permissions: ["org:b", "org:a"] }] })
      assert.deepEqual(yield* ask, ["AccessChanged", "AccessChanged"])
      clerk.users.set("user_ada", {
        role: "guest",
        firstName: "A",
        organizations: [{ permissions: ["org:a", "org:b"] }]
      })
      assert.deepEqual(yield* ask, ["AccessChanged", "AccessChanged"])
    })
  )

  it.effect("is the end of an account, once, and again when it is deleted after it was banned", () =>
    Effect.gen(function* () {
      const { clerk, ask } = yield* instances({ banned: true })
      assert.deepEqual(yield* ask, ["AccountClosed false"])
      assert.deepEqual(yield* ask, ["AccountClosed false"])
      clerk.users.delete("user_ada")
      assert.deepEqual(yield* ask, ["AccountClosed false", "AccountClosed true"])
      assert.deepEqual(yield* ask, ["AccountClosed false", "AccountClosed true"])
      clerk.users.set("user_ada", {})
      assert.lengthOf(yield* ask, 2)
      clerk.users.set("user_ada", { banned: true })
      assert.deepEqual((yield* ask).slice(2), ["AccountClosed false"])
    })
  )
})

describe("AccessRefresh", () => {
  it.effect("looks at Clerk, however new the last answer is", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        yield* current()
        clerk.users.set("user_ada", { role: "guest" })
        assert.strictEqual((yield* refresh()).role, "guest")
        assert.strictEqual((yield* current()).role, "guest")
        assert.strictEqual(clerk.calls, 2)
      })
    )
  )

  it.effect("does not take the answer of a look that had begun before", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        // The first answer was made before the role changed, and arrives after that.
        clerk.latency = Effect.andThen(
          Effect.sync(() => {
            clerk.latency = Effect.void
          }),
          Effect.delay(Deferred.await(gate), 0)
        )
        const early = yield* Effect.forkChild(current(), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        const late = yield* Effect.forkChild(refresh(), { startImmediately: true })
        yield* Effect.yieldNow
        assert.strictEqual(clerk.calls, 1)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(early)
        assert.strictEqual((yield* Fiber.join(late)).takenAt, 1_000)
        assert.strictEqual(clerk.calls, 2)
      })
    )
  )

  it.effect("does not make do with what was known, where Clerk does not answer", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        yield* current()
        yield* TestClock.adjust("1 second")
        clerk.outage = down
        const { reason } = yield* Effect.flip(refresh())
        assert.deepInclude(reason, { _tag: "AccessUnknown", retryAfterSeconds: 5 })
        assert.strictEqual((yield* current()).role, "admin")
        // Clerk is left alone for a while after a failure.
        yield* Effect.flip(refresh())
        assert.strictEqual(clerk.calls, 2)
      })
    )
  )

  it.effect("tells of a closed account", () =>
    withClerk((clerk) =>
      Effect.gen(function* () {
        yield* current()
        clerk.users.set("user_ada", { banned: true })
        assert.deepInclude((yield* Effect.flip(refresh())).reason, { _tag: "AccountClosed", deleted: false })
        clerk.users.delete("user_ada")
        assert.deepInclude((yield* Effect.flip(refresh())).reason, { _tag: "AccountClosed", deleted: true })
      })
    )
  )
})
