import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as jose from "jose"
import * as oauth from "oauth4webapi"
import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { Browser } from "./support/Browser.ts"
import { insecure, oauthClient, redirectUri, rejection } from "./support/OAuthClient.ts"

const fresh = Effect.gen(function* () {
  const standIn = yield* ClerkStandIn
  yield* standIn.admin.reset
  return standIn
})

layer(ClerkStandIn.layer({ port: 0 }))("Clerk stand-in as an OAuth server", (it) => {
  it.effect("discovery names Clerk's paths in both documents", () =>
    Effect.gen(function* () {
      const { url } = yield* fresh
      for (const name of ["openid-configuration", "oauth-authorization-server"]) {
        const response = yield* Effect.promise(() => fetch(`${url}/.well-known/${name}`))
        const metadata: unknown = yield* Effect.promise(() => response.json())
        assert.strictEqual(response.headers.get("content-type"), "application/json")
        assert.deepInclude(metadata, {
          issuer: url,
          authorization_endpoint: `${url}/oauth/authorize`,
          token_endpoint: `${url}/oauth/token`,
          revocation_endpoint: `${url}/oauth/token/revoke`,
          jwks_uri: `${url}/.well-known/jwks.json`
        })
        assert.notProperty(metadata, "authorization_response_iss_parameter_supported")
      }
    })
  )

  it.effect("signs a person in: form, code, id_token, userinfo", () =>
    Effect.gen(function* () {
      const { url, users } = yield* fresh
      const client = yield* oauthClient
      const { back, browser, form, request } = yield* client.walk("premium@example.com")
      assert.strictEqual(form.status, 200)
      assert.include(form.html, "stand-in")
      assert.match(form.html, /<input[^>]* name="email"/)
      assert.strictEqual(back.url.origin + back.url.pathname, redirectUri)
      assert.isFalse(back.url.searchParams.has("iss"))
      const tokens = yield* client.finish(request, back)
      assert.strictEqual(tokens.token_type, "bearer")
      assert.strictEqual(tokens.expires_in, 86_400)
      assert.match(tokens.access_token, /^oat_/)
      const claims = oauth.getValidatedIdTokenClaims(tokens)
      assert.deepInclude(claims, {
        iss: url,
        sub: users.premium.id,
        aud: client.client.client_id,
        nonce: request.nonce,
        email: "premium@example.com",
        email_verified: true,
        given_name: "Priya",
        family_name: "Oakes",
        name: "Priya Oakes",
        public_metadata: { role: "premium" }
      })
      assert.strictEqual((claims?.exp ?? 0) - (claims?.iat ?? 0), 86_400)
      assert.notProperty(claims, "sid")
      assert.notProperty(claims, "private_metadata")
      assert.property(claims, "jti")
      const jwks = jose.createRemoteJWKSet(new URL(client.server.jwks_uri ?? ""))
      yield* Effect.promise(() => jose.jwtVerify(tokens.id_token ?? "", jwks, { algorithms: ["RS256"] }))
      const response = yield* client.userinfo(tokens.access_token)
      const info = yield* Effect.promise(() =>
        oauth.processUserInfoResponse(client.server, client.client, users.premium.id, response)
      )
      assert.deepInclude(info, { user_id: users.premium.id, public_metadata: { role: "premium" } })
      assert.isTrue(typeof info.picture === "string" && info.picture.startsWith(url))
      const picture = yield* Effect.promise(() => fetch(info.picture ?? ""))
      assert.strictEqual(picture.headers.get("content-type"), "image/svg+xml")
      assert.include(browser.cookieNames, "clerk_stand_in_session")
    })
  )

  it.effect("claims follow the scopes, and default to profile and email", () =>
    Effect.gen(function* () {
      yield* fresh
      const client = yield* oauthClient
      const narrow = yield* client.signIn("member@example.com", { scope: "openid" })
      const claims = oauth.getValidatedIdTokenClaims(narrow)
      assert.notProperty(claims, "email")
      assert.notProperty(claims, "public_metadata")
      assert.isUndefined(narrow.refresh_token)
      const userinfo = yield* client.userinfo(narrow.access_token)
      const info: unknown = yield* Effect.promise(() => userinfo.json())
      assert.hasAllKeys(info, ["object", "instance_id", "user_id", "sub"])
      const { back, request } = yield* client.walk("member@example.com", { scope: undefined })
      const response = yield* Effect.promise(() => client.exchangeCode(request, back))
      const body: unknown = yield* Effect.promise(() => response.json())
      assert.deepInclude(body, { scope: "profile email" })
      assert.notProperty(body, "id_token")
      const organized = yield* client.signIn("admin@example.com", { scope: "openid user:org:read private_metadata" })
      assert.property(oauth.getValidatedIdTokenClaims(organized), "org_id")
      assert.property(oauth.getValidatedIdTokenClaims(organized), "private_metadata")
    })
  )

  it.effect("accepts HTTP Basic and the body for the client secret, and no wrong secret", () =>
    Effect.gen(function* () {
      const { settings } = yield* fresh
      const client = yield* oauthClient
      const basic = yield* client.walk("member@example.com")
      yield* client.finish(basic.request, basic.back, oauth.ClientSecretBasic(settings.CLERK_CLIENT_SECRET))
      const wrong = yield* client.walk("member@example.com")
      for (const auth of [oauth.ClientSecretPost("wrong"), oauth.ClientSecretBasic("wrong"), oauth.None()]) {
        const response = yield* Effect.promise(() => client.exchangeCode(wrong.request, wrong.back, auth))
        assert.strictEqual(response.status, 401)
        const body: unknown = yield* Effect.promise(() => response.json())
        assert.deepInclude(body, { error: "invalid_client" })
      }
    })
  )

  it.effect("refuses a wrong verifier and a code's second use", () =>
    Effect.gen(function* () {
      yield* fresh
      const client = yield* oauthClient
      const { back, request } = yield* client.walk("member@example.com")
      const other = { ...request, verifier: oauth.generateRandomCodeVerifier() }
      const refused = yield* Effect.promise(() => client.exchangeCode(other, back))
      assert.strictEqual(refused.status, 400)
      const again = yield* client.walk("member@example.com")
      const tokens = yield* client.finish(again.request, again.back)
      const replay = yield* Effect.promise(() => client.exchangeCode(again.request, again.back))
      assert.strictEqual(replay.status, 400)
      assert.strictEqual((yield* client.userinfo(tokens.access_token)).status, 401)
    })
  )

  it.effect("rotates refresh tokens and ends the grant when an old one comes back", () =>
    Effect.gen(function* () {
      yield* fresh
      const client = yield* oauthClient
      const first = yield* client.signIn("admin@example.com")
      const second = yield* client.refresh(first.refresh_token ?? "")
      assert.notStrictEqual(second.refresh_token, first.refresh_token)
      assert.isString(second.id_token)
      assert.strictEqual((yield* client.userinfo(second.access_token)).status, 200)
      const refreshed = (token: string) =>
        Effect.promise(() =>
          oauth.refreshTokenGrantRequest(client.server, client.client, client.clientAuth, token, insecure)
        )
      const reuse = yield* refreshed(first.refresh_token ?? "")
      assert.strictEqual(reuse.status, 400)
      assert.strictEqual((yield* client.userinfo(second.access_token)).status, 401)
      assert.strictEqual((yield* refreshed(second.refresh_token ?? "")).status, 400)
    })
  )

  it.effect("token_info and revocation", () =>
    Effect.gen(function* () {
      const { users } = yield* fresh
      const client = yield* oauthClient
      const tokens = yield* client.signIn("artist@example.com")
      const inspect = (token: string) =>
        Effect.promise(async () =>
          oauth.processIntrospectionResponse(
            client.server,
            client.client,
            await oauth.introspectionRequest(client.server, client.client, client.clientAuth, token, insecure)
          )
        )
      const alive = yield* inspect(tokens.access_token)
      assert.isTrue(alive.active)
      assert.deepInclude(alive, { sub: users.artist.id, client_id: client.client.client_id })
      assert.hasAllKeys(alive, ["active", "client_id", "iat", "scope", "sub"])
      yield* Effect.promise(async () =>
        oauth.processRevocationResponse(
          await oauth.revocationRequest(
            client.server,
            client.client,
            client.clientAuth,
            tokens.refresh_token ?? "",
            insecure
          )
        )
      )
      assert.deepEqual(yield* inspect(tokens.access_token), { active: false })
      assert.strictEqual((yield* client.userinfo(tokens.access_token)).status, 401)
    })
  )

  it.effect("refuses a short or missing state by redirect; with PKCE it may be absent", () =>
    Effect.gen(function* () {
      const { url } = yield* fresh
      const client = yield* oauthClient
      const visit = Effect.fnUntraced(function* (extra: Readonly<Record<string, string | undefined>>) {
        const request = yield* client.begin(extra)
        return yield* Effect.promise(() => new Browser(url).visit(request.address))
      })
      const short = yield* visit({ state: "1234567" })
      assert.strictEqual(short.url.origin + short.url.pathname, redirectUri)
      assert.strictEqual(short.url.searchParams.get("error"), "invalid_state")
      assert.strictEqual(short.url.searchParams.get("state"), "1234567")
      assert.strictEqual((yield* visit({ state: "12345678" })).status, 200)
      assert.strictEqual((yield* visit({ state: undefined })).status, 200)
      const bare = { state: undefined, code_challenge: undefined, code_challenge_method: undefined }
      assert.strictEqual((yield* visit(bare)).url.searchParams.get("error"), "invalid_state")
    })
  )

  it.effect("never redirects to an address that is not registered", () =>
    Effect.gen(function* () {
      const { url } = yield* fresh
      const client = yield* oauthClient
      for (const extra of [
        { redirect_uri: "http://localhost:8788/elsewhere" },
        { redirect_uri: "http://localhost:8788/elsewhere", state: "short" },
        { client_id: "nobody" },
        { client_id: "nobody", state: "short" }
      ]) {
        const request = yield* client.begin(extra)
        const page = yield* Effect.promise(() => new Browser(url).visit(request.address))
        assert.strictEqual(page.status, 400)
        assert.include(page.contentType, "text/html")
        assert.notMatch(page.html, /at .*\.js:\d+/)
      }
    })
  )

  it.effect("cancel gives access_denied, without iss", () =>
    Effect.gen(function* () {
      const { url } = yield* fresh
      const client = yield* oauthClient
      const browser = new Browser(url)
      const request = yield* client.begin()
      const form = yield* Effect.promise(() => browser.visit(request.address))
      const back = yield* Effect.promise(() => browser.visit(form.url, { email: "", cancel: "true" }))
      assert.strictEqual(back.url.origin + back.url.pathname, redirectUri)
      assert.strictEqual(back.url.searchParams.get("error"), "access_denied")
      assert.strictEqual(back.url.searchParams.get("state"), request.state)
      assert.isFalse(back.url.searchParams.has("iss"))
    })
  )

  it.effect("an unknown address and a banned user see the form again; login_hint fills it", () =>
    Effect.gen(function* () {
      const { url } = yield* fresh
      const client = yield* oauthClient
      const browser = new Browser(url)
      const request = yield* client.begin({ login_hint: 'artist@example.com"><b>' })
      const form = yield* Effect.promise(() => browser.visit(request.address))
      assert.match(form.html, /value="artist@example\.com&#34;&#62;&#60;b&#62;"/)
      for (const email of ["nobody@example.com", "banned@example.com"]) {
        const again = yield* Effect.promise(() => browser.visit(form.url, { email }))
        assert.strictEqual(again.status, 422)
        assert.match(again.html, /role="alert"/)
      }
      const back = yield* Effect.promise(() => browser.visit(form.url, { email: "Artist@Example.com " }))
      assert.isTrue(back.url.searchParams.has("code"))
    })
  )

  it.effect("a finished sign-in form is a plain page, not a failure", () =>
    Effect.gen(function* () {
      const { url } = yield* fresh
      const client = yield* oauthClient
      const { browser, form } = yield* client.walk("member@example.com")
      const again = yield* Effect.promise(() => browser.visit(form.url, { email: "member@example.com" }))
      assert.strictEqual(again.status, 400)
      const stranger = yield* Effect.promise(() => new Browser(url).visit(form.url))
      assert.strictEqual(stranger.status, 400)
      assert.include(stranger.html, "expired")
    })
  )

  it.effect("remembers the browser until prompt=login or the end of the Clerk session", () =>
    Effect.gen(function* () {
      const { admin, users } = yield* fresh
      const client = yield* oauthClient
      const { browser } = yield* client.walk("member@example.com")
      const authorize = Effect.fnUntraced(function* (extra?: Readonly<Record<string, string>>) {
        const request = yield* client.begin(extra)
        return { request, visit: yield* Effect.promise(() => browser.visit(request.address)) }
      })
      assert.isTrue((yield* authorize()).visit.url.searchParams.has("code"))
      assert.strictEqual((yield* authorize({ prompt: "login" })).visit.status, 200)
      const [session] = yield* admin.sessionsOf(users.member.id)
      yield* admin.endSession(session?.id ?? "")
      const asked = yield* authorize()
      assert.strictEqual(asked.visit.status, 200)
      const silent = yield* authorize({ prompt: "none", scope: "openid" })
      assert.strictEqual(silent.visit.url.searchParams.get("error"), "login_required")
      const back = yield* Effect.promise(() => browser.visit(asked.visit.url, { email: "admin@example.com" }))
      const tokens = yield* client.finish(asked.request, back)
      assert.strictEqual(oauth.getValidatedIdTokenClaims(tokens)?.sub, users.admin.id)
    })
  )

  it.effect("a ban or a deletion stops access tokens and refresh", () =>
    Effect.gen(function* () {
      const { admin } = yield* fresh
      const client = yield* oauthClient
      for (const [email, end] of [
        ["member@example.com", admin.ban],
        ["artist@example.com", admin.deleteUser]
      ] as const) {
        const tokens = yield* client.signIn(email)
        assert.strictEqual((yield* client.userinfo(tokens.access_token)).status, 200)
        yield* end(email)
        const refused = yield* client.userinfo(tokens.access_token)
        assert.strictEqual(refused.status, 401)
        const body: unknown = yield* Effect.promise(() => refused.json())
        assert.property(body, "errors")
        const error = yield* rejection(async () =>
          oauth.processRefreshTokenResponse(
            client.server,
            client.client,
            await oauth.refreshTokenGrantRequest(
              client.server,
              client.client,
              client.clientAuth,
              tokens.refresh_token ?? "",
              insecure
            )
          )
        )
        assert.instanceOf(error, oauth.ResponseBodyError)
        assert.propertyVal(error, "error", "invalid_grant")
      }
    })
  )
})
