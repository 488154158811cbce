import { createClerkClient, verifyToken } from "@clerk/backend"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as jose from "jose"
import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { mcpServerTemplate } from "../../dev/clerk/JwtTemplates.ts"
import { backendClient, refusedCall } from "./support/BackendClient.ts"
import { oauthClient, rejection } from "./support/OAuthClient.ts"

const fresh = Effect.gen(function* () {
  const standIn = yield* ClerkStandIn
  yield* standIn.admin.reset
  const { CLERK_SECRET_KEY } = standIn.settings
  return {
    ...standIn,
    clerk: yield* backendClient,
    verify: (token: string, audience?: string) =>
      verifyToken(token, {
        secretKey: CLERK_SECRET_KEY,
        apiUrl: standIn.url,
        skipJwksCache: true,
        ...(audience === undefined ? {} : { audience })
      })
  }
})

const jwtTemplates = {
  "mcp-server": mcpServerTemplate("https://app.example.com"),
  reports: { scope: "reports", who: "{{user.id}}", plan: "{{user.public_metadata.plan}}" }
}

layer(ClerkStandIn.layer({ port: 0, jwtTemplates }))("Clerk stand-in's sessions", (it) => {
  it.effect("a sign-in makes a session that the Backend API lists and revokes", () =>
    Effect.gen(function* () {
      const { clerk, users } = yield* fresh
      const client = yield* oauthClient
      yield* client.signIn("premium@example.com")
      yield* client.signIn("premium@example.com")
      yield* client.signIn("member@example.com")
      const of = (status?: "active" | "revoked") =>
        Effect.promise(() =>
          clerk.sessions.getSessionList({ userId: users.premium.id, ...(status === undefined ? {} : { status }) })
        )
      const { data, totalCount } = yield* of()
      assert.strictEqual(totalCount, 2)
      assert.match(data[0]?.id ?? "", /^sess_[0-9A-Za-z]{27}$/)
      assert.isAtLeast(data[0]?.createdAt ?? 0, data[1]?.createdAt ?? 1)
      const revoked = yield* Effect.promise(() => clerk.sessions.revokeSession(data[0]?.id ?? ""))
      assert.strictEqual(revoked.status, "revoked")
      assert.strictEqual((yield* of("active")).totalCount, 1)
      assert.strictEqual((yield* of("revoked")).data[0]?.id, data[0]?.id)
    })
  )

  it.effect("session tokens pass the real verifyToken for a minute", () =>
    Effect.gen(function* () {
      const { admin, clerk, url, users, verify } = yield* fresh
      const session = yield* admin.createSession("admin@example.com")
      const { jwt } = yield* Effect.promise(() => clerk.sessions.getToken(session.id))
      const claims = yield* Effect.promise(() => verify(jwt))
      assert.deepInclude({ ...claims }, { iss: url, sub: users.admin.id, sid: session.id, v: 2, sts: "active" })
      assert.strictEqual(claims.exp - claims.iat, 60)
      assert.notProperty(claims, "azp", "no browser asked for it")
      assert.deepInclude(claims["o"], { rol: "admin", slg: "northwind-studio" })
      yield* admin.setClockOffset(-120)
      const old = yield* Effect.promise(() => clerk.sessions.getToken(session.id))
      const error = yield* rejection(() => verify(old.jwt))
      assert.propertyVal(error, "reason", "token-expired")
      const longer = yield* Effect.promise(() => clerk.sessions.getToken(session.id, undefined, 600))
      yield* Effect.promise(() => verify(longer.jwt))
    })
  )

  it.effect("authenticateRequest of the SDK accepts a session token and refuses a template token", () =>
    Effect.gen(function* () {
      const { admin, settings, url } = yield* fresh
      const clerk = createClerkClient({
        secretKey: settings.CLERK_SECRET_KEY,
        publishableKey: settings.CLERK_PUBLISHABLE_KEY,
        apiUrl: url,
        telemetry: { disabled: true }
      })
      const session = yield* admin.createSession("member@example.com")
      const authenticate = (jwt: string) =>
        Effect.promise(() =>
          clerk.authenticateRequest(
            new Request("http://localhost:3000/", { headers: { authorization: `Bearer ${jwt}` } })
          )
        )
      const plain = yield* Effect.promise(() => clerk.sessions.getToken(session.id))
      assert.isTrue((yield* authenticate(plain.jwt)).isAuthenticated)
      const templated = yield* Effect.promise(() => clerk.sessions.getToken(session.id, "mcp-server"))
      assert.isFalse((yield* authenticate(templated.jwt)).isAuthenticated)
    })
  )

  it.effect("template tokens carry the template's claims and no sid", () =>
    Effect.gen(function* () {
      const { admin, clerk, users, verify } = yield* fresh
      const session = yield* admin.createSession("artist@example.com")
      const { jwt } = yield* Effect.promise(() => clerk.sessions.getToken(session.id, "mcp-server"))
      const claims = yield* Effect.promise(() => verify(jwt, "https://app.example.com"))
      assert.deepInclude(
        { ...claims },
        {
          sub: users.artist.id,
          aud: "https://app.example.com",
          email: "artist@example.com",
          role: "image_generation"
        }
      )
      assert.notProperty(claims, "sid")
      assert.notProperty(claims, "azp")
      assert.propertyVal(jose.decodeProtectedHeader(jwt), "cat", "cl_B7d4PD222AAA")
      yield* rejection(() => verify(jwt, "https://another.example.com"))
      const reports = yield* Effect.promise(() => clerk.sessions.getToken(session.id, "reports"))
      const others = jose.decodeJwt(reports.jwt)
      assert.deepInclude(others, { scope: "reports", who: users.artist.id, plan: null })
      assert.notProperty(others, "aud")
      const unknown = yield* refusedCall(() => clerk.sessions.getToken(session.id, "no-such-template"))
      assert.strictEqual(unknown.status, 404)
    })
  )

  it.effect("a token minted for an application names its origin in azp", () =>
    Effect.gen(function* () {
      const { admin, verify } = yield* fresh
      const session = yield* admin.createSession("member@example.com")
      const jwt = yield* admin.mintSessionToken(session.id, "https://app.example.com")
      const claims = yield* Effect.promise(() => verify(jwt))
      assert.deepInclude({ ...claims }, { azp: "https://app.example.com", sid: session.id })
    })
  )

  it.effect("tokens live as long as a test wants, until the reset", () =>
    Effect.gen(function* () {
      const { admin, clerk } = yield* fresh
      const lifetimes = Effect.gen(function* () {
        const session = yield* admin.createSession("member@example.com")
        const plain = yield* Effect.promise(() => clerk.sessions.getToken(session.id))
        const templated = yield* Effect.promise(() => clerk.sessions.getToken(session.id, "mcp-server"))
        return [plain.jwt, templated.jwt].map((jwt) => {
          const { exp = 0, iat = 0 } = jose.decodeJwt(jwt)
          return exp - iat
        })
      })
      yield* admin.setTokenLifetimes({ sessionSeconds: 2 })
      yield* admin.setTokenLifetimes({ templateSeconds: 90 })
      assert.deepEqual(yield* lifetimes, [2, 90])
      yield* admin.reset
      assert.deepEqual(yield* lifetimes, [60, 60])
    })
  )

  it.effect("an ended, revoked or expired session gives no tokens", () =>
    Effect.gen(function* () {
      const { admin, clerk } = yield* fresh
      for (const status of ["ended", "revoked", "removed"] as const) {
        const session = yield* admin.createSession("member@example.com")
        yield* admin.endSession(session.id, status)
        assert.strictEqual((yield* refusedCall(() => clerk.sessions.getToken(session.id))).status, 404)
        assert.strictEqual((yield* refusedCall(() => clerk.sessions.getToken(session.id, "mcp-server"))).status, 404)
      }
      const session = yield* admin.createSession("member@example.com")
      yield* admin.setClockOffset(8 * 86_400)
      assert.strictEqual((yield* Effect.promise(() => clerk.sessions.getSession(session.id))).status, "expired")
      assert.strictEqual((yield* refusedCall(() => clerk.sessions.getToken(session.id))).status, 404)
    })
  )

  it.effect("a rotated key signs new tokens; old ones verify while their key is published", () =>
    Effect.gen(function* () {
      const { admin, clerk, verify } = yield* fresh
      const session = yield* admin.createSession("member@example.com")
      const token = Effect.map(
        Effect.promise(() => clerk.sessions.getToken(session.id)),
        ({ jwt }) => jwt
      )
      const first = yield* token
      const kid = yield* admin.rotateSigningKey({ keepPrevious: true })
      const second = yield* token
      assert.strictEqual(jose.decodeProtectedHeader(second).kid, kid)
      yield* Effect.promise(() => verify(first))
      yield* Effect.promise(() => verify(second))
      // The SDK keeps every key that it has seen in a cache of the process: withdraw one that it has not.
      yield* admin.rotateSigningKey({ keepPrevious: true })
      const third = yield* token
      yield* admin.rotateSigningKey()
      const error = yield* rejection(() => verify(third))
      assert.propertyVal(error, "reason", "jwk-kid-mismatch")
      const client = yield* oauthClient
      yield* client.signIn("member@example.com")
    })
  )
})
