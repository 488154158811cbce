import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import * as jose from "jose"

import { ClerkStandIn } from "../../../dev/clerk/ClerkStandIn.ts"
import { ClerkApi } from "../../../src/server/clerk/ClerkApi.ts"
import { ClerkSessionId, UserId } from "../../../src/server/domain/Principal.ts"
import * as Log from "../../../src/server/observability/Log.ts"
import { serve } from "../../support/FetchServer.ts"
import { freePort } from "../../support/FreePort.ts"
import { type Settings, testConfig } from "../../support/TestConfig.ts"

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
const sessionUser = (id: string) => Effect.flatMap(ClerkApi, (clerk) => clerk.sessionUser(ClerkSessionId.make(id)))
const sessionToken = (id: string) => Effect.flatMap(ClerkApi, (clerk) => clerk.sessionToken(ClerkSessionId.make(id)))
const claimsOf = (token: Redacted.Redacted) => ({
  ...jose.decodeProtectedHeader(Redacted.value(token)),
  ...jose.decodeJwt(Redacted.value(token))
})
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
        locked: false,
        publicMetadata: { role: "admin" }
      })
      assert.isTrue((yield* user(users.banned.id)).banned)
      assert.deepStrictEqual((yield* user(users.member.id)).publicMetadata, {})
    })
  )

  it.effect("finds a user by e-mail address, or nobody", () =>
    Effect.gen(function* () {
      const { users } = yield* fresh
      const { userWithEmail } = yield* ClerkApi
      assert.strictEqual<unknown>(yield* userWithEmail("member@example.com"), users.member.id)
      for (const unknown of ["nobody@example.com", "member", ""]) assert.isUndefined(yield* userWithEmail(unknown))
    })
  )

  it.effect("reads memberships with their permissions", () =>
    Effect.gen(function* () {
      const { users } = yield* fresh
      const found = yield* memberships(users.admin.id)
      assert.deepStrictEqual<unknown>(found, [
        {
          role: "org:admin",
          permissions: ["org:sys_profile:manage", "org:sys_memberships:read", "org:sys_memberships:manage"],
          organization: { id: found?.[0]?.organization.id, slug: "northwind-studio", name: "Northwind Studio" }
        }
      ])
      assert.match(String(found?.[0]?.organization.id), /^org_/u)
      assert.deepStrictEqual(yield* memberships(users.member.id), [])
    })
  )

  /** The user is a member of this many organizations, each with a permission of its own. */
  const inOrganizations = Effect.fnUntraced(function* (count: number) {
    const { users, admin } = yield* fresh
    const permissions = Array.from({ length: count }, (_, index) => [`org:team${index}:read`])
    yield* admin.setOrganizations(users.member.id, permissions)
    const path = `/v1/users/${users.member.id}/organization_memberships`
    return { asked: admin.countRequests(path), id: users.member.id, permissions }
  })

  for (const [count, pages] of [
    [100, 1],
    [500, 1],
    [501, 2],
    [1_234, 3],
    [2_501, 6]
  ] as const) {
    it.effect(`reads all ${count} memberships, in ${pages} page${pages === 1 ? "" : "s"}`, () =>
      Effect.gen(function* () {
        const { asked, id, permissions } = yield* inOrganizations(count)
        const found = yield* memberships(id)
        assert.deepStrictEqual(
          found?.map(({ permissions }) => [...(permissions ?? [])]),
          permissions
        )
        assert.strictEqual(yield* asked, pages)
      })
    )
  }

  it.effect("does not tell memberships whose list never ends, and says so once", () => {
    const lines: Array<string> = []
    const log = Layer.fresh(Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))]))
    return Effect.gen(function* () {
      let asked = 0
      const url = yield* serve(yield* Effect.promise(freePort), () => {
        asked += 1
        const organization = { object: "organization", id: "org_1", name: "One" }
        const place = { id: "orgmem_1", role: "org:member", permissions: null, organization, public_user_data: {} }
        const data = [{ object: "organization_membership", ...place }]
        return Promise.resolve(Response.json({ data, total_count: 1_000_000 }))
      })
      const told = Effect.provide(memberships("user_ada"), pointedAt({ CLERK_API_URL: url }))
      assert.isUndefined(yield* told)
      assert.isUndefined(yield* told)
      assert.strictEqual(asked, 200)
      assert.lengthOf(lines, 1)
      assert.include(lines[0], '"level":"WARN"')
      assert.include(lines[0], "users.getOrganizationMembershipList: only the first 100 are read")
    }).pipe(Effect.provide(log), Effect.provideService(Log.Said, new Set<string>()))
  })

  it.effect("reads a user of whom Clerk tells no more than it has to", () =>
    Effect.gen(function* () {
      const bare = { object: "user", id: "user_bare", first_name: null, last_name: null, banned: false }
      const url = yield* serve(yield* Effect.promise(freePort), () => Promise.resolve(Response.json(bare)))
      const found = yield* Effect.provide(user("user_bare"), pointedAt({ CLERK_API_URL: url }))
      assert.deepInclude(found, { primaryEmailAddress: null, publicMetadata: {}, imageUrl: "" })
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

  it.effect("tells whose session it is, as long as it is active", () =>
    Effect.gen(function* () {
      const { admin, users } = yield* fresh
      for (const status of ["ended", "removed", "revoked", "expired", "abandoned", "replaced"] as const) {
        const { id } = yield* admin.createSession(users.admin.id)
        assert.strictEqual(yield* sessionUser(id), UserId.make(users.admin.id))
        yield* admin.endSession(id, status)
        assert.strictEqual((yield* refusal(sessionUser(id)))._tag, "ClerkSessionEnded")
        assert.strictEqual((yield* refusal(sessionToken(id)))._tag, "ClerkSessionEnded")
      }
      assert.strictEqual((yield* refusal(sessionUser("sess_nobodys")))._tag, "ClerkSessionEnded")
      assert.strictEqual((yield* refusal(sessionToken("sess_nobodys")))._tag, "ClerkSessionEnded")
    })
  )

  it.effect("does not call a session ended that waits for its user", () =>
    Effect.gen(function* () {
      const { admin, users } = yield* fresh
      const { id } = yield* admin.createSession(users.admin.id)
      yield* admin.endSession(id, "pending")
      assert.strictEqual((yield* refusal(sessionUser(id)))._tag, "ClerkUnexpected")
      assert.strictEqual((yield* refusal(sessionToken(id)))._tag, "ClerkUnexpected")
    })
  )

  it.effect("finds the session that a user used last", () =>
    Effect.gen(function* () {
      const { admin, users } = yield* fresh
      const last = Effect.flatMap(ClerkApi, (clerk) => clerk.lastSession(UserId.make(users.admin.id)))
      assert.isUndefined(yield* last)
      const first = yield* admin.createSession(users.admin.id)
      yield* admin.setClockOffset(60)
      const second = yield* admin.createSession(users.admin.id)
      assert.strictEqual(String(yield* last), second.id)
      yield* admin.setClockOffset(120)
      yield* admin.mintSessionToken(first.id, "https://app.example.com")
      assert.strictEqual(String(yield* last), first.id)
      yield* admin.endSession(first.id)
      assert.strictEqual(String(yield* last), second.id)
    })
  )

  it.effect("finds the session that was used last among those of many browsers", () =>
    Effect.gen(function* () {
      const { admin, users } = yield* fresh
      const first = yield* admin.createSession(users.admin.id)
      for (let browser = 0; browser < 600; browser++) yield* admin.createSession(users.admin.id)
      yield* admin.setClockOffset(60)
      yield* admin.mintSessionToken(first.id, "https://app.example.com")
      const last = yield* Effect.flatMap(ClerkApi, (clerk) => clerk.lastSession(UserId.make(users.admin.id)))
      assert.strictEqual(String(last), first.id)
      assert.strictEqual(yield* admin.countRequests("/v1/sessions"), 2)
    })
  )

  it.effect("gets a session token, or one of the template that is set", () =>
    Effect.gen(function* () {
      const { admin, users } = yield* fresh
      const { id } = yield* admin.createSession(users.admin.id)
      assert.deepInclude(claimsOf(yield* sessionToken(id)), { sid: id, sub: users.admin.id, cat: "cl_B7d4PD111AAA" })
      const templated = yield* Effect.provide(sessionToken(id), pointedAt({ CLERK_JWT_TEMPLATE: "mcp-server" }))
      assert.deepInclude(claimsOf(templated), { sub: users.admin.id, cat: "cl_B7d4PD222AAA" })
      assert.notProperty(claimsOf(templated), "sid")
    })
  )

  it.effect("does not take a wrong key or a missing template for the end of a session", () =>
    Effect.gen(function* () {
      const { admin, users } = yield* fresh
      const { id } = yield* admin.createSession(users.admin.id)
      const wrongKey = pointedAt({ CLERK_SECRET_KEY: "sk_test_someoneElses" })
      assert.strictEqual((yield* refusal(Effect.provide(sessionToken(id), wrongKey)))._tag, "ClerkMisconfigured")
      assert.strictEqual((yield* refusal(Effect.provide(sessionUser(id), wrongKey)))._tag, "ClerkMisconfigured")
      const noTemplate = pointedAt({ CLERK_JWT_TEMPLATE: "no-such-template" })
      const reason = yield* refusal(Effect.provide(sessionToken(id), noTemplate))
      assert.deepInclude(Object.assign({}, reason), { _tag: "ClerkUnexpected", detail: "status 404" })
      yield* admin.endSession(id)
      assert.strictEqual((yield* refusal(Effect.provide(sessionToken(id), noTemplate)))._tag, "ClerkSessionEnded")
    })
  )

  for (const effect of [
    { kind: "rate_limited", retryAfterSeconds: 7 },
    { kind: "server_error" },
    { kind: "malformed_json" }
  ] as const) {
    it.effect(`takes no trouble of Clerk's for the end of a session: ${effect.kind}`, () =>
      Effect.gen(function* () {
        const { admin, users } = yield* fresh
        const { id } = yield* admin.createSession(users.admin.id)
        for (const call of [Effect.asVoid(sessionUser(id)), Effect.asVoid(sessionToken(id))]) {
          yield* admin.addFault({ path: "/v1/sessions", effect })
          assert.strictEqual((yield* refusal(call))._tag, "ClerkUnavailable")
          yield* call
        }
        // Whoever cannot answer is asked nothing more: the only question about the session was its own.
        assert.strictEqual(yield* admin.countRequests("/v1/sessions", "GET"), 2)
        // Clerk refuses the token, and fails when it is asked why.
        yield* admin.endSession(id)
        yield* admin.addFault({ path: "/v1/sessions", method: "GET", effect })
        assert.strictEqual((yield* refusal(sessionToken(id)))._tag, "ClerkUnavailable")
        assert.strictEqual((yield* refusal(sessionToken(id)))._tag, "ClerkSessionEnded")
      })
    )
  }

  it.effect("counts the session of a banned or deleted user as ended", () =>
    Effect.gen(function* () {
      const { admin, users } = yield* fresh
      for (const close of [admin.ban, admin.deleteUser]) {
        const { id } = yield* admin.createSession(users.member.id)
        yield* close(users.member.id)
        assert.strictEqual((yield* refusal(sessionToken(id)))._tag, "ClerkSessionEnded")
        if (close === admin.ban) yield* admin.unban(users.member.id)
      }
    })
  )
})
