import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as jose from "jose"

import { verifyIdToken } from "../../../src/server/clerk/IdToken.ts"
import { bothKeys, now, signed, signedWithPublicKey, withKeys } from "../../support/ClerkKeys.ts"
import { networkDown } from "../../../src/server/testing/FakeHttp.ts"

const genuine: jose.JWTPayload = {
  iss: "https://clerk.example.com",
  aud: "the-oauth-application",
  sub: "user_ada",
  nonce: "the-nonce",
  iat: now,
  exp: now + 60
}
const without = (claim: string) => Object.fromEntries(Object.entries(genuine).filter(([name]) => name !== claim))

const verify = (token: string) => verifyIdToken(token, { clientId: "the-oauth-application", nonce: "the-nonce" })
const refusal = (token: string) =>
  Effect.match(verify(token), {
    onFailure: (error) => (error._tag === "TokenRejected" ? error.check : error._tag),
    onSuccess: (userId) => `accepted: ${userId}`
  })

describe("IdToken", () => {
  it.effect("names the user of a genuine token, also when `aud` is a list of one", () =>
    withKeys(() =>
      Effect.gen(function* () {
        assert.strictEqual(yield* verify(yield* signed(genuine)), "user_ada")
        assert.strictEqual(yield* verify(yield* signed({ ...genuine, aud: ["the-oauth-application"] })), "user_ada")
      })
    )
  )

  const forgeries: ReadonlyArray<readonly [what: string, claims: jose.JWTPayload, check: string]> = [
    ["another issuer", { ...genuine, iss: "https://clerk.somewhere-else.example" }, "iss"],
    ["the issuer with a slash", { ...genuine, iss: "https://clerk.example.com/" }, "iss"],
    ["no issuer", without("iss"), "iss"],
    ["another audience", { ...genuine, aud: "another-application" }, "aud"],
    ["no audience", without("aud"), "aud"],
    ["an empty audience", { ...genuine, aud: [] }, "aud"],
    ["an audience besides", { ...genuine, aud: ["the-oauth-application", "another-application"] }, "aud"],
    ["another nonce", { ...genuine, nonce: "another-nonce" }, "nonce"],
    ["no nonce", without("nonce"), "nonce"],
    ["a nonce that is no text", { ...genuine, nonce: 7 }, "claims"],
    ["no subject", without("sub"), "sub"],
    ["a subject that is no user", { ...genuine, sub: "client:7" }, "claims"],
    ["no expiry", without("exp"), "exp"],
    ["an expiry in the past", { ...genuine, iat: now - 60, exp: now - 5 }, "exp"],
    ["no time of issue", without("iat"), "iat"],
    ["a time from which on it holds", { ...genuine, nbf: now + 6 }, "nbf"]
  ]
  for (const [what, claims, check] of forgeries) {
    it.effect(`refuses ${what}`, () =>
      withKeys(() =>
        Effect.gen(function* () {
          assert.strictEqual(yield* refusal(yield* signed(claims)), check)
        })
      )
    )
  }

  it.effect("forgives clocks that are 5 s apart", () =>
    withKeys(() =>
      Effect.gen(function* () {
        assert.strictEqual(yield* verify(yield* signed({ ...genuine, exp: now - 4 })), "user_ada")
      })
    )
  )

  it.effect("refuses a token without a signature", () =>
    withKeys(() =>
      Effect.gen(function* () {
        assert.strictEqual(yield* refusal(new jose.UnsecuredJWT(genuine).encode()), "ERR_JOSE_ALG_NOT_ALLOWED")
      })
    )
  )

  it.effect("refuses HS256 with the public key for a secret", () =>
    withKeys(() =>
      Effect.gen(function* () {
        const token = yield* signedWithPublicKey(genuine)
        assert.strictEqual(yield* refusal(token), "ERR_JOSE_ALG_NOT_ALLOWED")
      })
    )
  )

  it.effect("refuses a signature by another key under a known name, and what is no token", () =>
    withKeys((keySet) =>
      Effect.gen(function* () {
        const [, second] = yield* bothKeys
        const token = yield* signed(genuine, { ...second, kid: "first" })
        assert.strictEqual(yield* refusal(token), "ERR_JWS_SIGNATURE_VERIFICATION_FAILED")
        assert.strictEqual(yield* refusal("not a token"), "ERR_JWS_INVALID")
        assert.strictEqual(keySet.fetched, 1)
      })
    )
  )

  it.effect("fetches again for an unknown key, at most once in 30 s", () =>
    withKeys((keySet) =>
      Effect.gen(function* () {
        yield* verify(yield* signed(genuine))
        const token = yield* signed({ ...genuine, exp: now + 600 }, (yield* bothKeys)[1])
        yield* TestClock.adjust("29 seconds")
        yield* refusal(token)
        assert.strictEqual(keySet.fetched, 1)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* refusal(token), "kid")
        assert.strictEqual(keySet.fetched, 2)
        yield* refusal(token)
        yield* TestClock.adjust("29 seconds")
        yield* refusal(token)
        assert.strictEqual(keySet.fetched, 2)
      })
    )
  )

  it.effect("takes up a key that Clerk rotated to, and drops the former one", () =>
    withKeys((keySet) =>
      Effect.gen(function* () {
        const [, second] = yield* bothKeys
        const lasting = { ...genuine, exp: now + 600 }
        const before = yield* signed(lasting)
        yield* verify(before)
        keySet.published = [second.jwk]
        yield* TestClock.adjust("31 seconds")
        assert.strictEqual(yield* verify(yield* signed(lasting, second)), "user_ada")
        assert.strictEqual(keySet.fetched, 2)
        assert.strictEqual(yield* refusal(before), "kid")
      })
    )
  )

  it.effect("keeps the key set for an hour", () =>
    withKeys((keySet) =>
      Effect.gen(function* () {
        const token = yield* signed({ ...genuine, exp: now + 7_200 })
        yield* verify(token)
        yield* TestClock.adjust("1 hour")
        yield* verify(token)
        assert.strictEqual(keySet.fetched, 1)
        yield* TestClock.adjust("1 second")
        yield* verify(token)
        assert.strictEqual(keySet.fetched, 2)
      })
    )
  )

  const json = { "content-type": "application/json" }
  for (const [what, trouble, reason] of [
    ["cannot be reached", Effect.succeed(networkDown), "ClerkUnavailable"],
    ["answers 500", Effect.sync(() => new Response("no", { status: 500 })), "ClerkUnavailable"],
    ["answers 429", Effect.sync(() => Response.json({}, { status: 429 })), "ClerkUnavailable"],
    ["stops half way", Effect.sync(() => new Response("{", { headers: json })), "ClerkUnavailable"],
    ["answers 401", Effect.sync(() => Response.json({}, { status: 401 })), "ClerkMisconfigured"],
    ["answers 403", Effect.sync(() => Response.json({}, { status: 403 })), "ClerkMisconfigured"],
    ["is not there", Effect.sync(() => new Response("no", { status: 404 })), "ClerkMisconfigured"],
    ["answers with HTML", Effect.sync(() => new Response("<html>")), "ClerkUnexpected"],
    ["answers with something else", Effect.sync(() => Response.json({ keys: "none" })), "ClerkUnexpected"]
  ] as const) {
    it.effect(`fails with ${reason} when the key set ${what}, and tries again the next time`, () =>
      withKeys((keySet) =>
        Effect.gen(function* () {
          const token = yield* signed(genuine)
          keySet.trouble = trouble
          assert.strictEqual(yield* refusal(token), reason)
          keySet.trouble = undefined
          assert.strictEqual(yield* verify(token), "user_ada")
        })
      )
    )
  }

  it.effect("waits 5 s for the key set", () =>
    withKeys((keySet) =>
      Effect.gen(function* () {
        keySet.trouble = Effect.never
        const checking = yield* Effect.forkChild(refusal(yield* signed(genuine)), { startImmediately: true })
        yield* TestClock.adjust("4999 millis")
        assert.isUndefined(checking.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(checking), "ClerkUnavailable")
      })
    )
  )
})
