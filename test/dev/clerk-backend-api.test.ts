import { createClerkClient } from "@clerk/backend"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { backendClient, refusedCall } from "./support/BackendClient.ts"
import { oauthClient } from "./support/OAuthClient.ts"

const fresh = Effect.gen(function* () {
  const standIn = yield* ClerkStandIn
  yield* standIn.admin.reset
  return { ...standIn, clerk: yield* backendClient }
})

layer(ClerkStandIn.layer({ port: 0 }))("Clerk stand-in as the Backend API", (it) => {
  it.effect("answers users as the SDK reads them", () =>
    Effect.gen(function* () {
      const { clerk, url, users } = yield* fresh
      const admin = yield* Effect.promise(() => clerk.users.getUser(users.admin.id))
      assert.match(admin.id, /^user_[0-9A-Za-z]{27}$/)
      assert.strictEqual(admin.primaryEmailAddress?.emailAddress, "admin@example.com")
      assert.strictEqual(admin.primaryEmailAddress?.verification?.status, "verified")
      assert.strictEqual(admin.fullName, "Ada Marlowe")
      assert.deepEqual(admin.publicMetadata, { role: "admin" })
      assert.isTrue(admin.imageUrl.startsWith(url))
      assert.isFalse(admin.banned)
      const raw = yield* Effect.promise(() =>
        fetch(`${url}/v1/users/${users.admin.id}`, { headers: { authorization: "Bearer sk_test_wrong" } })
      )
      assert.strictEqual(raw.headers.get("content-type"), "application/json")
    })
  )

  it.effect("pages, orders, filters and counts users", () =>
    Effect.gen(function* () {
      const { clerk, users } = yield* fresh
      const emails = (parameters: Parameters<typeof clerk.users.getUserList>[0]) =>
        Effect.map(
          Effect.promise(() => clerk.users.getUserList(parameters)),
          ({ data, totalCount }) => ({
            emails: data.map((user) => user.primaryEmailAddress?.emailAddress.split("@")[0]),
            totalCount
          })
        )
      assert.deepEqual(yield* emails({ limit: 2, orderBy: "+email_address" }), {
        emails: ["admin", "analyst"],
        totalCount: 6
      })
      assert.deepEqual(yield* emails({ limit: 2, offset: 4, orderBy: "+email_address" }), {
        emails: ["member", "premium"],
        totalCount: 6
      })
      assert.deepEqual((yield* emails({})).emails, ["banned", "analyst", "member", "artist", "premium", "admin"])
      assert.deepEqual(yield* emails({ query: "finch" }), { emails: ["artist"], totalCount: 1 })
      assert.deepEqual(
        yield* emails({ emailAddress: ["member@example.com", "admin@example.com"], orderBy: "created_at" }),
        { emails: ["admin", "member"], totalCount: 2 }
      )
      assert.deepEqual((yield* emails({ userId: [users.premium.id] })).emails, ["premium"])
      assert.strictEqual(yield* Effect.promise(() => clerk.users.getCount({ query: "example.com" })), 6)
    })
  )

  it.effect("refuses parameters out of range with 422", () =>
    Effect.gen(function* () {
      const { clerk, users } = yield* fresh
      const limit = yield* refusedCall(() => clerk.users.getUserList({ limit: 501 }))
      assert.strictEqual(limit.status, 422)
      assert.strictEqual(limit.parameter, "limit")
      const lifetime = yield* refusedCall(() => clerk.sessions.getToken("sess_x", undefined, 5))
      assert.strictEqual(lifetime.status, 422)
      const name = yield* refusedCall(() => clerk.oauthApplications.create({ name: "" }))
      assert.strictEqual(name.status, 422)
      const list = yield* refusedCall(() => clerk.sessions.getSessionList({}))
      assert.strictEqual(list.status, 422)
      assert.isNotEmpty(users.admin.id)
    })
  )

  it.effect("a wrong or missing secret key is 401 with Clerk's code", () =>
    Effect.gen(function* () {
      const { url, users } = yield* fresh
      const stranger = createClerkClient({ secretKey: "sk_test_wrong", apiUrl: url, telemetry: { disabled: true } })
      const refused = yield* refusedCall(() => stranger.users.getUser(users.admin.id))
      assert.deepInclude(refused, { status: 401, code: "clerk_key_invalid" })
      assert.isNotEmpty(refused.traceId)
      const bare = yield* Effect.promise(() => fetch(`${url}/v1/users`))
      assert.strictEqual(bare.status, 401)
    })
  )

  it.effect("unknown resources are 404", () =>
    Effect.gen(function* () {
      const { clerk } = yield* fresh
      for (const call of [
        () => clerk.users.getUser("user_nobody"),
        () => clerk.users.banUser("user_nobody"),
        () => clerk.users.deleteUser("user_nobody"),
        () => clerk.users.updateUserMetadata("user_nobody", { publicMetadata: {} }),
        () => clerk.users.getOrganizationMembershipList({ userId: "user_nobody" }),
        () => clerk.sessions.getSession("sess_nothing"),
        () => clerk.sessions.revokeSession("sess_nothing"),
        () => clerk.sessions.getToken("sess_nothing"),
        () => clerk.oauthApplications.get("oa_nothing"),
        () => clerk.idPOAuthAccessToken.verify("oat_nothing")
      ]) {
        assert.deepInclude(yield* refusedCall(call), { status: 404, code: "resource_not_found" })
      }
    })
  )

  it.effect("merges metadata deeply, null removes; replacing replaces", () =>
    Effect.gen(function* () {
      const { clerk, users } = yield* fresh
      const merge = (publicMetadata: UserPublicMetadata) =>
        Effect.promise(() => clerk.users.updateUserMetadata(users.premium.id, { publicMetadata }))
      yield* merge({ plan: { name: "gold", seats: 3 } })
      const merged = yield* merge({ plan: { seats: 4 }, tags: ["a"] })
      assert.deepEqual(merged.publicMetadata, { role: "premium", plan: { name: "gold", seats: 4 }, tags: ["a"] })
      const removed = yield* merge({ role: null, plan: { name: null } })
      assert.deepEqual(removed.publicMetadata, { plan: { seats: 4 }, tags: ["a"] })
      assert.deepEqual(removed.privateMetadata, {})
      const replaced = yield* Effect.promise(() =>
        clerk.users.replaceUserMetadata(users.premium.id, { publicMetadata: { role: "premium" } })
      )
      assert.deepEqual(replaced.publicMetadata, { role: "premium" })
    })
  )

  it.effect("updates, bans, unbans and deletes a user", () =>
    Effect.gen(function* () {
      const { clerk, users } = yield* fresh
      const renamed = yield* Effect.promise(() => clerk.users.updateUser(users.member.id, { lastName: "Reed" }))
      assert.strictEqual(renamed.fullName, "Mina Reed")
      const session = yield* Effect.promise(() => clerk.sessions.createSession({ userId: users.member.id }))
      assert.isTrue((yield* Effect.promise(() => clerk.users.banUser(users.member.id))).banned)
      const ended = yield* Effect.promise(() => clerk.sessions.getSession(session.id))
      assert.strictEqual(ended.status, "revoked")
      assert.strictEqual((yield* refusedCall(() => clerk.sessions.getToken(session.id))).status, 404)
      assert.strictEqual(
        (yield* refusedCall(() => clerk.sessions.createSession({ userId: users.member.id }))).status,
        404
      )
      assert.isFalse((yield* Effect.promise(() => clerk.users.unbanUser(users.member.id))).banned)
      assert.strictEqual((yield* refusedCall(() => clerk.sessions.getToken(session.id))).status, 404)
      yield* Effect.promise(() => clerk.users.deleteUser(users.member.id))
      assert.strictEqual((yield* refusedCall(() => clerk.users.getUser(users.member.id))).status, 404)
      assert.strictEqual((yield* refusedCall(() => clerk.sessions.getSession(session.id))).status, 404)
    })
  )

  it.effect("lists memberships", () =>
    Effect.gen(function* () {
      const { clerk, users } = yield* fresh
      const of = (userId: string) => Effect.promise(() => clerk.users.getOrganizationMembershipList({ userId }))
      const { data, totalCount } = yield* of(users.admin.id)
      assert.strictEqual(totalCount, 1)
      assert.strictEqual(data[0]?.role, "org:admin")
      assert.strictEqual(data[0]?.organization.slug, "northwind-studio")
      assert.strictEqual(data[0]?.publicUserData?.userId, users.admin.id)
      assert.include(data[0]?.permissions ?? [], "org:sys_memberships:manage")
      assert.strictEqual((yield* of(users.member.id)).totalCount, 0)
    })
  )

  it.effect("keeps OAuth applications, and the new one works", () =>
    Effect.gen(function* () {
      const { clerk, settings } = yield* fresh
      const before = yield* Effect.promise(() => clerk.oauthApplications.list())
      assert.deepEqual(
        before.data.map((one) => one.clientId),
        [settings.CLERK_CLIENT_ID]
      )
      const made = yield* Effect.promise(() =>
        clerk.oauthApplications.create({
          name: "Second",
          redirectUris: ["http://localhost:8788/callback"],
          scopes: "openid email",
          public: true
        })
      )
      const updated = yield* Effect.promise(() =>
        clerk.oauthApplications.update({ oauthApplicationId: made.id, name: "Renamed" })
      )
      assert.strictEqual(updated.name, "Renamed")
      assert.deepEqual(updated.redirectUris, ["http://localhost:8788/callback"])
      const listed = yield* Effect.promise(() => clerk.oauthApplications.list({ limit: 1, orderBy: "-created_at" }))
      assert.deepEqual({ total: listed.totalCount, id: listed.data[0]?.id }, { total: 2, id: made.id })
      const client = yield* oauthClient
      const wide = yield* client.begin({ client_id: made.clientId })
      assert.include(wide.address.href, made.clientId)
      const narrow = yield* client.walk("member@example.com", { client_id: made.clientId, scope: "openid email" })
      assert.isTrue(narrow.back.url.searchParams.has("code"))
      const byClientId = yield* Effect.promise(() => clerk.oauthApplications.list({ nameQuery: made.clientId }))
      assert.deepEqual(
        byClientId.data.map((one) => [one.id, one.consentScreenEnabled]),
        [[made.id, true]]
      )
      yield* Effect.promise(() => clerk.oauthApplications.delete(made.id))
      assert.strictEqual((yield* refusedCall(() => clerk.oauthApplications.get(made.id))).status, 404)
    })
  )

  it.effect("tells of the instance: its kind, its domain, its JWT templates, whether it has organizations", () =>
    Effect.gen(function* () {
      const { admin, clerk, settings, url } = yield* fresh
      const instance = yield* Effect.promise(() => clerk.instance.get())
      assert.strictEqual(instance.environmentType, "development")
      const domains = yield* Effect.promise(() => clerk.domains.list())
      assert.deepEqual(
        domains.data.map(({ frontendApiUrl, isSatellite }) => [frontendApiUrl, isSatellite]),
        [[url, false]]
      )
      const templates = yield* Effect.promise(() => clerk.jwtTemplates.list())
      assert.deepEqual(
        templates.data.map(({ name }) => name),
        [settings.CLERK_JWT_TEMPLATE]
      )
      const organizations = Effect.promise(() => clerk.instance.getOrganizationSettings())
      assert.isTrue((yield* organizations).enabled)
      yield* admin.setFeatures({ organizations: false })
      assert.isFalse((yield* organizations).enabled)
    })
  )

  it.effect("verifies opaque access tokens; a dead one is a 200 that says so", () =>
    Effect.gen(function* () {
      const { admin, clerk, settings, users } = yield* fresh
      const client = yield* oauthClient
      const tokens = yield* client.signIn("premium@example.com")
      const verify = Effect.promise(() => clerk.idPOAuthAccessToken.verify(tokens.access_token))
      const alive = yield* verify
      assert.deepInclude(alive, {
        subject: users.premium.id,
        clientId: settings.CLERK_CLIENT_ID,
        revoked: false,
        expired: false
      })
      assert.match(alive.id, /^oat_[0-9a-f]{32}$/)
      yield* admin.setClockOffset(86_401)
      assert.isTrue((yield* verify).expired)
      yield* admin.setClockOffset(0)
      const [application] = (yield* Effect.promise(() => clerk.oauthApplications.list())).data
      yield* Effect.promise(() =>
        clerk.oauthApplications.revokeToken({ oauthApplicationId: application?.id ?? "", token: tokens.access_token })
      )
      assert.isTrue((yield* verify).revoked)
    })
  )
})
