import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"

import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { ClerkApi } from "../../src/clerk/ClerkApi.ts"
import { UserId } from "../../src/domain/Identity.ts"
import { type Settings, testConfig } from "../support/TestConfig.ts"

/** The service, pointed at the running stand-in. */
const pointedAt = (overrides: Settings = {}) =>
  Layer.unwrap(
    Effect.map(ClerkStandIn, ({ settings, url }) =>
      // Fresh: a test that points it elsewhere would get the one that is already there.
      Layer.fresh(ClerkApi.layer).pipe(
        Layer.provide(
          Layer.fresh(testConfig({ CLERK_SECRET_KEY: settings.CLERK_SECRET_KEY, CLERK_API_URL: url, ...overrides }))
        )
      )
    )
  )

const user = (id: string) => Effect.flatMap(ClerkApi, (clerk) => clerk.user(UserId.make(id)))
const memberships = (id: string) => Effect.flatMap(ClerkApi, (clerk) => clerk.memberships(UserId.make(id)))
const refusal = <A, E, R>(self: Effect.Effect<A, { readonly reason: E }, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

const fresh = Effect.gen(function* () {
  const standIn = yield* ClerkStandIn
  yield* standIn.admin.reset
  return standIn
})

layer(pointedAt().pipe(Layer.provideMerge(ClerkStandIn.layer({ port: 0 }))))("ClerkApi against the stand-in", (it) => {
  it.effect("reads a user, and nothing of the metadata that users write themselves", () =>
    Effect.gen(function* () {
      const { users } = yield* fresh
      const admin = yield* user(users.admin.id)
      assert.deepStrictEqual(admin, {
        id: UserId.make(users.admin.id),
        primaryEmailAddress: { emailAddress: "admin@example.com" },
        firstName: "Ada",
        lastName: "Marlowe",
        imageUrl: admin.imageUrl,
        banned: false,
        publicMetadata: { role: "admin" }
      })
      assert.isTrue((yield* user(users.banned.id)).banned)
      assert.deepStrictEqual((yield* user(users.member.id)).publicMetadata, {})
    })
  )

  it.effect("reads memberships with their permissions", () =>
    Effect.gen(function* () {
      const { users } = yield* fresh
      const [membership] = yield* memberships(users.admin.id)
      assert.deepInclude(membership, {
        permissions: ["org:sys_profile:manage", "org:sys_memberships:read", "org:sys_memberships:manage"]
      })
      assert.deepStrictEqual(yield* memberships(users.member.id), [])
    })
  )

  it.effect("tells that a user does not exist, or no longer", () =>
    Effect.gen(function* () {
      const { users, admin } = yield* fresh
      assert.strictEqual((yield* refusal(user("user_nobody")))._tag, "UserNotFound")
      yield* admin.deleteUser(users.member.id)
      assert.strictEqual((yield* refusal(user(users.member.id)))._tag, "UserNotFound")
    })
  )

  it.effect("tells that the secret key is wrong, and not which one it was", () =>
    Effect.gen(function* () {
      const { users } = yield* fresh
      const wrong = "sk_test_someoneElses"
      for (const call of [Effect.asVoid(user(users.admin.id)), Effect.asVoid(memberships(users.admin.id))]) {
        const reason = yield* refusal(Effect.provide(call, pointedAt({ CLERK_SECRET_KEY: wrong })))
        assert.strictEqual(reason._tag, "ClerkMisconfigured")
        assert.notInclude(JSON.stringify(reason) + String(reason), wrong)
      }
    })
  )

  it.effect("tells how long a rate limit lasts", () =>
    Effect.gen(function* () {
      const { users, admin } = yield* fresh
      yield* admin.addFault({ path: "/v1/users", effect: { kind: "rate_limited", retryAfterSeconds: 7 } })
      const reason = yield* refusal(user(users.admin.id))
      assert.deepInclude(Object.assign({}, reason), { _tag: "ClerkUnavailable", status: 429, retryAfter: 7 })
      assert.strictEqual((yield* user(users.admin.id)).firstName, "Ada")
    })
  )

  it.effect("asks once: a failure is the caller's to judge", () =>
    Effect.gen(function* () {
      const { users, admin } = yield* fresh
      yield* admin.addFault({ path: "/v1/users", effect: { kind: "server_error" } })
      const reason = yield* refusal(user(users.admin.id))
      assert.deepInclude(Object.assign({}, reason), { _tag: "ClerkUnavailable", status: 500 })
      assert.strictEqual(yield* admin.countRequests("/v1/users"), 1)
    })
  )

  it.effect("calls an answer that stops half way no answer", () =>
    Effect.gen(function* () {
      const { users, admin } = yield* fresh
      yield* admin.addFault({ path: "/v1/users", effect: { kind: "malformed_json" } })
      assert.strictEqual((yield* refusal(user(users.admin.id)))._tag, "ClerkUnavailable")
    })
  )

  it.effect("waits 5 s for an answer", () =>
    Effect.gen(function* () {
      const { users, admin } = yield* fresh
      yield* admin.addFault({ path: "/v1/users", effect: { kind: "delay", millis: 20_000 } })
      const waiting = yield* Effect.forkChild(refusal(user(users.admin.id)))
      const arrived = Effect.map(admin.countRequests("/v1/users"), (count) => count > 0)
      while (!(yield* arrived)) yield* TestClock.withLive(Effect.sleep("10 millis"))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "ClerkUnavailable")
    })
  )

  it.effect("calls Clerk unavailable where nobody listens", () =>
    Effect.gen(function* () {
      const reason = yield* refusal(
        Effect.provide(user("user_ada"), pointedAt({ CLERK_API_URL: "http://127.0.0.1:1" }))
      )
      assert.strictEqual(reason._tag, "ClerkUnavailable")
    })
  )
})
