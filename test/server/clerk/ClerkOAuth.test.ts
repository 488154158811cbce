import { assert, describe, it } from "@effect/vitest"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"

import { ClerkOAuth } from "../../../src/server/clerk/ClerkOAuth.ts"
import { ClerkJwt, TokenRejected } from "../../../src/server/clerk/ClerkJwt.ts"
import { fakeHttp, networkDown } from "../../../src/server/testing/FakeHttp.ts"
import { settings, testConfig } from "../../support/TestConfig.ts"

/** Takes the token `genuine` for Ada's. The checks themselves have tests of their own. */
const jwt = Layer.succeed(ClerkJwt, {
  verify: (token, { audience }) =>
    token === "genuine" && audience === "the-oauth-application"
      ? Effect.succeed({ header: { alg: "RS256" }, payload: { sub: "user_ada", nonce: "the-nonce", aud: audience } })
      : Effect.fail(new TokenRejected({ check: "aud" }))
})

const clerkOAuth = (answer: (request: Request) => Effect.Effect<Response | typeof networkDown>) =>
  ClerkOAuth.layerNoDeps({
    clientId: settings.CLERK_CLIENT_ID,
    clientSecret: Redacted.make(settings.CLERK_CLIENT_SECRET)
  }).pipe(Layer.provide([jwt, SecureRandom.layerWebCrypto, Digest.layerWebCrypto, testConfig(), fakeHttp(answer)]))

const challenge = { verifier: "the-verifier", nonce: "the-nonce" }
const exchange = Effect.flatMap(ClerkOAuth, (clerk) => clerk.exchange("the-code", challenge))

/** What comes of an exchange to which `/oauth/token` gives this answer. */
const exchanged = (answer: Effect.Effect<Response | typeof networkDown>) =>
  Effect.provide(
    exchange,
    clerkOAuth(() => answer)
  )

const json = (status: number, body: unknown) => Effect.sync(() => Response.json(body, { status }))

describe("ClerkOAuth", () => {
  it.effect("sends the browser to Clerk with exactly the parameters of the flow", () =>
    Effect.gen(function* () {
      const clerk = yield* ClerkOAuth
      // RFC 7636, appendix B.
      const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
      const url = yield* clerk.authorizationUrl("the state", { verifier, nonce: "the-nonce" })
      assert.strictEqual(url.origin + url.pathname, "https://clerk.example.com/oauth/authorize")
      assert.deepStrictEqual(Object.fromEntries(url.searchParams), {
        client_id: "the-oauth-application",
        code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        code_challenge_method: "S256",
        nonce: "the-nonce",
        redirect_uri: "https://mcp.example.com/callback",
        response_type: "code",
        scope: "openid",
        state: "the state"
      })
      const anew = yield* clerk.authorizationUrl("the state", { verifier, nonce: "the-nonce" }, true)
      assert.strictEqual(anew.href, `${url.href}&prompt=login`)
    }).pipe(Effect.provide(clerkOAuth(() => Effect.succeed(networkDown))))
  )

  it.effect("makes a new challenge each time, 256 bits for the verifier and for the nonce", () =>
    Effect.gen(function* () {
      const clerk = yield* ClerkOAuth
      const [one, two] = [yield* clerk.challenge, yield* clerk.challenge]
      const values = [one.verifier, one.nonce, two.verifier, two.nonce]
      assert.strictEqual(new Set(values).size, 4)
      for (const value of values) assert.match(value, /^[A-Za-z0-9_-]{43}$/u)
    }).pipe(Effect.provide(clerkOAuth(() => Effect.succeed(networkDown))))
  )

  it.effect("redeems the code with the verifier, the redirect URI and its own credentials", () => {
    const requests: Array<Request> = []
    return Effect.gen(function* () {
      assert.strictEqual(yield* exchange, "user_ada")
      const [request] = requests
      assert.strictEqual(requests.length, 1)
      assert.strictEqual(request?.method, "POST")
      assert.strictEqual(request?.url, "https://clerk.example.com/oauth/token")
      const credentials = btoa(`${settings.CLERK_CLIENT_ID}:${settings.CLERK_CLIENT_SECRET}`)
      assert.strictEqual(request?.headers.get("authorization"), `Basic ${credentials}`)
      const form = yield* Effect.promise(async () => new URLSearchParams(await request?.text()))
      assert.deepStrictEqual(Object.fromEntries(form), {
        code: "the-code",
        code_verifier: "the-verifier",
        grant_type: "authorization_code",
        redirect_uri: "https://mcp.example.com/callback"
      })
    }).pipe(
      Effect.provide(
        clerkOAuth((request) => {
          requests.push(request)
          return json(200, { access_token: "unused", id_token: "genuine" })
        })
      )
    )
  })

  for (const [what, answer, reason] of [
    ["invalid_grant with 400", json(400, { error: "invalid_grant" }), "CodeRejected"],
    ["invalid_grant with 401", json(401, { error: "invalid_grant" }), "CodeRejected"],
    ["invalid_client", json(401, { error: "invalid_client" }), "ClerkMisconfigured"],
    ["an error of Clerk's own form", json(403, { errors: [{ code: "feature_not_enabled" }] }), "ClerkMisconfigured"],
    ["403 without a word", json(403, {}), "ClerkMisconfigured"],
    ["redirect_uri_mismatch", json(400, { error: "redirect_uri_mismatch" }), "ClerkMisconfigured"],
    ["429", json(429, { error: "slow_down" }), "ClerkUnavailable"],
    ["500", json(500, {}), "ClerkUnavailable"],
    ["503 with HTML", Effect.sync(() => new Response("<html>", { status: 503 })), "ClerkUnavailable"],
    ["400 with HTML", Effect.sync(() => new Response("<html>", { status: 400 })), "ClerkUnexpected"],
    ["200 with HTML", Effect.sync(() => new Response("<html>")), "ClerkUnexpected"],
    ["200 without an id_token", json(200, { access_token: "only" }), "ClerkUnexpected"],
    ["no network", Effect.succeed(networkDown), "ClerkUnavailable"],
    ["an id_token that proves nothing", json(200, { id_token: "forged" }), "TokenRejected"]
  ] as const) {
    it.effect(`fails with ${reason} on ${what}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(exchanged(answer))
        assert.strictEqual(error.reason._tag, reason)
      })
    )
  }

  it.effect("waits 10 s for the token", () =>
    Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(Effect.flip(exchanged(Effect.never)), { startImmediately: true })
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(waiting)).reason._tag, "ClerkUnavailable")
    })
  )

  it.effect("puts neither secret nor code nor verifier into an error, whatever Clerk echoes", () =>
    Effect.gen(function* () {
      const told = [settings.CLERK_CLIENT_SECRET, "the-code", "the-verifier"]
      const echo = told.join(" ")
      const answers = [
        Effect.succeed(networkDown),
        json(401, { error: "invalid_client", error_description: echo }),
        json(400, { message: echo }),
        json(500, { error: echo }),
        Effect.sync(() => new Response(echo)),
        json(200, { id_token: `forged ${echo}` })
      ] as const
      for (const answer of answers) {
        const error = yield* Effect.flip(exchanged(answer))
        const text = [
          String(error),
          error.stack,
          JSON.stringify(error),
          String(error.reason),
          JSON.stringify(error.reason)
        ]
        for (const secret of told) assert.notInclude(text.join(" "), secret)
      }
    })
  )
})
