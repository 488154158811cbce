import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as jose from "jose"
import * as oauth from "oauth4webapi"
import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { Tampering } from "../../dev/clerk/oauth/IdTokens.ts"
import { backendClient, refusedCall } from "./support/BackendClient.ts"
import { hookClient } from "./support/HookClient.ts"
import { oauthClient, rejection } from "./support/OAuthClient.ts"

const fresh = Effect.gen(function* () {
  const standIn = yield* ClerkStandIn
  yield* standIn.admin.reset
  return { ...standIn, clerk: yield* backendClient, hook: hookClient(standIn.url) }
})

/** What a full OpenID client says about each way of tampering; undefined: only the signature tells. */
const noticed: { readonly [tampering in Tampering]: string | undefined } = {
  wrong_issuer: "iss",
  wrong_audience: "aud",
  missing_audience: "aud",
  wrong_nonce: "nonce",
  missing_nonce: "nonce",
  expired: "exp",
  alg_none: "alg",
  missing_id_token: "id_token",
  unknown_key: undefined,
  wrong_signature: undefined
}

layer(ClerkStandIn.layer({ port: 0, features: { organizations: false } }))(
  "Clerk stand-in without organizations",
  (it) => {
    it.effect("refuses memberships as Clerk does, until the feature is switched on", () =>
      Effect.gen(function* () {
        const { admin, clerk, hook, users } = yield* fresh
        const list = () => clerk.users.getOrganizationMembershipList({ userId: users.admin.id })
        const off = { status: 403, code: "organization_not_enabled_in_instance" }
        assert.deepInclude(yield* refusedCall(list), off)
        assert.isTrue((yield* hook("features", { organizations: true })).ok)
        assert.strictEqual((yield* Effect.promise(list)).totalCount, 1)
        yield* admin.reset
        assert.deepInclude(yield* refusedCall(list), off)
      })
    )
  }
)

layer(ClerkStandIn.layer({ port: 0 }))("Clerk stand-in's hooks", (it) => {
  it.effect("makes somebody a member of organizations, the newest first", () =>
    Effect.gen(function* () {
      const { clerk, hook, users } = yield* fresh
      const user = users.member.email
      assert.isTrue(
        (yield* hook("users/organizations", { user, permissions: [["org:a:read"], [], ["org:b:read"]] })).ok
      )
      const page = { userId: users.member.id, limit: 2, offset: 1 }
      const { data, totalCount } = yield* Effect.promise(() => clerk.users.getOrganizationMembershipList(page))
      assert.deepEqual([totalCount, data.map(({ permissions }) => permissions)], [3, [[], ["org:b:read"]]])
    })
  )

  it.effect("refuses requests as an instance does where something is off", () =>
    Effect.gen(function* () {
      const { clerk, hook, users } = yield* fresh
      const effect = { kind: "refused", status: 403, code: "authorization_invalid" }
      assert.isTrue((yield* hook("faults", { path: "/v1/users", effect })).ok)
      const refused = yield* refusedCall(() => clerk.users.getUser(users.member.id))
      assert.deepInclude(refused, { status: 403, code: "authorization_invalid" })
    })
  )

  for (const tampering of Tampering.literals) {
    it.effect(`tampers with the next id_token only: ${tampering}`, () =>
      Effect.gen(function* () {
        const { admin } = yield* fresh
        const client = yield* oauthClient
        const { back, request } = yield* client.walk("premium@example.com")
        yield* admin.tamperWithNextIdToken(tampering)
        const response = yield* Effect.promise(() => client.exchangeCode(request, back))
        const jwks = jose.createRemoteJWKSet(new URL(client.server.jwks_uri ?? ""))
        const error = yield* rejection(async () => {
          const tokens = await oauth.processAuthorizationCodeResponse(client.server, client.client, response, {
            expectedNonce: request.nonce,
            requireIdToken: true
          })
          await jose.jwtVerify(tokens.id_token ?? "", jwks, { algorithms: ["RS256"] })
        })
        const claim = noticed[tampering]
        if (claim === undefined) {
          assert.instanceOf(
            error,
            tampering === "unknown_key" ? jose.errors.JWKSNoMatchingKey : jose.errors.JWSSignatureVerificationFailed
          )
        } else {
          assert.instanceOf(error, Error)
          assert.include(`${String(error)} ${JSON.stringify(error instanceof Error ? error.cause : "")}`, claim)
        }
        yield* client.signIn("premium@example.com")
      })
    )
  }

  it.effect("faults meet the next matching requests, as often as asked", () =>
    Effect.gen(function* () {
      const { admin, clerk, users } = yield* fresh
      const getUser = () => clerk.users.getUser(users.admin.id)
      yield* admin.addFault({ path: "/v1/users", times: 2, effect: { kind: "rate_limited", retryAfterSeconds: 7 } })
      yield* Effect.promise(() => clerk.oauthApplications.list())
      for (const _ of [1, 2]) {
        assert.deepInclude(yield* refusedCall(getUser), { status: 429, code: "too_many_requests", retryAfter: 7 })
      }
      yield* Effect.promise(getUser)
      yield* admin.addFault({ path: "/v1/users", method: "DELETE", effect: { kind: "server_error" } })
      yield* Effect.promise(getUser)
      assert.strictEqual((yield* refusedCall(() => clerk.users.deleteUser(users.member.id))).status, 500)
      yield* Effect.promise(() => clerk.users.getUser(users.member.id))
      yield* admin.addFault({ path: "/v1/users", effect: { kind: "malformed_json" } })
      assert.strictEqual((yield* refusedCall(getUser)).code, "unexpected_error")
      yield* Effect.promise(getUser)
    })
  )

  it.effect("a delay holds the answer in wall time, whatever clock the test owns", () =>
    Effect.gen(function* () {
      const { admin, clerk, users } = yield* fresh
      yield* admin.addFault({ path: "/v1/users", effect: { kind: "delay", millis: 150 } })
      const started = performance.now()
      const held = yield* Effect.forkChild(Effect.promise(() => clerk.users.getUser(users.admin.id)))
      yield* Fiber.join(held)
      assert.isAtLeast(performance.now() - started, 140)
    })
  )

  it.effect("faults reach the token endpoint and the keys", () =>
    Effect.gen(function* () {
      const { admin, url } = yield* fresh
      const client = yield* oauthClient
      const { back, request } = yield* client.walk("member@example.com")
      yield* admin.addFault({ path: "/oauth/token", effect: { kind: "rate_limited", retryAfterSeconds: 1 } })
      yield* admin.addFault({ path: "/.well-known/jwks.json", effect: { kind: "server_error" } })
      const refused = yield* Effect.promise(() => client.exchangeCode(request, back))
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers.get("retry-after"), "1")
      const keys = () => Effect.promise(() => fetch(`${url}/.well-known/jwks.json`))
      assert.strictEqual((yield* keys()).status, 500)
      assert.strictEqual((yield* keys()).status, 200)
      yield* client.finish(request, back)
    })
  )

  it.effect("counts requests by path, without hooks and queries", () =>
    Effect.gen(function* () {
      const { admin, clerk, hook, users } = yield* fresh
      yield* Effect.promise(() => clerk.users.getUser(users.admin.id))
      yield* Effect.promise(() => clerk.users.getUser(users.admin.id))
      yield* Effect.promise(() => clerk.users.getUserList({ query: "ada" }))
      assert.strictEqual(yield* admin.countRequests(`/v1/users/${users.admin.id}`), 2)
      assert.strictEqual(yield* admin.countRequests("/v1/users", "POST"), 0)
      const answer = yield* hook("requests")
      const counts: unknown = yield* Effect.promise(() => answer.json())
      assert.deepEqual(counts, [
        { method: "GET", path: `/v1/users/${users.admin.id}`, count: 2 },
        { method: "GET", path: "/v1/users", count: 1 },
        { method: "GET", path: "/v1/users/count", count: 1 }
      ])
      yield* admin.forgetRequests
      assert.strictEqual(yield* admin.countRequests("/"), 0)
    })
  )

  it.effect("a shifted clock dates tokens, and ages the ones before", () =>
    Effect.gen(function* () {
      const { admin } = yield* fresh
      const client = yield* oauthClient
      yield* admin.setClockOffset(-7200)
      const { back, request } = yield* client.walk("admin@example.com")
      const response = yield* Effect.promise(() => client.exchangeCode(request, back))
      const tokens = yield* Effect.promise(() =>
        oauth.processAuthorizationCodeResponse(client.server, client.client, response, { expectedNonce: request.nonce })
      )
      const issuedAt = oauth.getValidatedIdTokenClaims(tokens)?.iat ?? 0
      assert.approximately(Math.floor(performance.timeOrigin / 1000 + performance.now() / 1000) - issuedAt, 7200, 5)
      assert.strictEqual((yield* client.userinfo(tokens.access_token)).status, 200)
      yield* admin.setClockOffset(86_400 - 7200 + 10)
      assert.strictEqual((yield* client.userinfo(tokens.access_token)).status, 401)
    })
  )

  it.effect("hooks work over HTTP", () =>
    Effect.gen(function* () {
      const { admin, clerk, hook, users } = yield* fresh
      const session = yield* admin.createSession("member@example.com")
      const steps: ReadonlyArray<readonly [string, unknown]> = [
        ["users/role", { user: "member@example.com", role: "premium" }],
        ["users/public-metadata", { user: users.artist.id, publicMetadata: { role: "admin", since: 2026 } }],
        ["users/ban", { user: "premium@example.com" }],
        ["users/unban", { user: "banned@example.com" }],
        ["users/delete", { user: "admin@example.com" }],
        ["sessions/create", { user: "member@example.com" }],
        ["sessions/end", { session: session.id }],
        ["faults", { path: "/v1/users", effect: { kind: "server_error" } }],
        ["id-token/tamper", { tampering: "expired" }],
        ["keys/rotate", {}],
        ["clock", { offsetSeconds: 0 }]
      ]
      for (const [path, body] of steps) {
        const response = yield* hook(path, body)
        assert.strictEqual(response.status, 200, path)
      }
      assert.strictEqual((yield* refusedCall(() => clerk.users.getUser(users.member.id))).status, 500)
      const role = Effect.fnUntraced(function* (id: string) {
        return (yield* Effect.promise(() => clerk.users.getUser(id))).publicMetadata["role"]
      })
      assert.strictEqual(yield* role(users.member.id), "premium")
      assert.strictEqual(yield* role(users.artist.id), "admin")
      const answer = yield* hook("sessions?user=member@example.com")
      const sessions: unknown = yield* Effect.promise(() => answer.json())
      assert.deepInclude(Array.isArray(sessions) ? sessions[1] : undefined, { id: session.id, status: "ended" })
      assert.strictEqual((yield* hook("users/ban", { user: "nobody@example.com" })).status, 404)
      assert.strictEqual((yield* hook("clock", { offsetSeconds: "soon" })).status, 422)
      assert.strictEqual((yield* hook("reset", {})).status, 200)
      assert.strictEqual(yield* role(users.admin.id), "admin")
    })
  )

  it.effect("hooks refuse what a foreign page could send", () =>
    Effect.gen(function* () {
      const { clerk, hook, users } = yield* fresh
      const refused = yield* hook("users/ban", { user: users.admin.id }, { "content-type": "text/plain" })
      assert.strictEqual(refused.status, 403)
      assert.isFalse((yield* Effect.promise(() => clerk.users.getUser(users.admin.id))).banned)
    })
  )
})
