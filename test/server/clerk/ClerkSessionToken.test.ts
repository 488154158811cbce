import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as jose from "jose"

import { verifyClerkSessionToken } from "../../../src/server/clerk/ClerkSessionToken.ts"
import { bothKeys, now, signed, signedWithPublicKey, withKeys } from "../../support/ClerkKeys.ts"
import { networkDown } from "../../../src/server/testing/FakeHttp.ts"

const session = { cat: "cl_B7d4PD111AAA", typ: "JWT" }
const template = { cat: "cl_B7d4PD222AAA", typ: "JWT" }

const genuine: jose.JWTPayload = {
  iss: "https://clerk.example.com",
  sub: "user_ada",
  sid: "sess_1",
  azp: "https://app.example.com",
  sts: "active",
  v: 2,
  iat: now,
  nbf: now - 10,
  exp: now + 60
}
const without = (claim: string) => Object.fromEntries(Object.entries(genuine).filter(([name]) => name !== claim))

const verify = (token: string) => verifyClerkSessionToken(token, new URL("https://app.example.com"))
const refusal = (token: string) =>
  Effect.match(verify(token), {
    onFailure: (error) => (error._tag === "TokenRejected" ? error.check : error._tag),
    onSuccess: ({ userId }) => `accepted: ${userId}`
  })

describe("SessionToken", () => {
  it.effect("names the user and the session of a genuine token, of version 1 too", () =>
    withKeys(() =>
      Effect.gen(function* () {
        for (const claims of [genuine, without("sts")]) {
          const { userId, clerkSessionId } = yield* verify(yield* signed(claims, undefined, session))
          assert.deepEqual([userId, clerkSessionId].map(String), ["user_ada", "sess_1"])
        }
      })
    )
  )

  it.effect("names the organization that was active in the session, if there was one", () =>
    withKeys(() =>
      Effect.gen(function* () {
        for (const [claims, expected] of [
          [{}, undefined],
          [{ o: { id: "org_1", rol: "admin", slg: "acme" } }, "org_1"],
          [{ org_id: "org_1" }, "org_1"],
          [{ o: null }, undefined],
          [{ org_id: null }, undefined],
          [{ org_id: "" }, undefined],
          [{ org_id: "acme" }, undefined],
          [{ o: "org_1" }, undefined]
        ] as const) {
          const { organizationId } = yield* verify(yield* signed({ ...genuine, ...claims }, undefined, session))
          assert.strictEqual(organizationId && String(organizationId), expected, JSON.stringify(claims))
        }
      })
    )
  )

  const forgeries: ReadonlyArray<readonly [what: string, claims: jose.JWTPayload, check: string]> = [
    ["another issuer", { ...genuine, iss: "https://clerk.somewhere-else.example" }, "iss"],
    ["no issuer", without("iss"), "iss"],
    ["no subject", without("sub"), "sub"],
    ["a subject that is no user", { ...genuine, sub: "client:7" }, "claims"],
    ["the origin of another app", { ...genuine, azp: "https://other.example.com" }, "azp"],
    ["an app whose name begins like ours", { ...genuine, azp: "https://app.example.com.evil.example" }, "azp"],
    ["our app without TLS", { ...genuine, azp: "http://app.example.com" }, "azp"],
    ["our app with a slash", { ...genuine, azp: "https://app.example.com/" }, "azp"],
    ["no app, as of a token that a backend asked for", without("azp"), "azp"],
    ["an app that is no text", { ...genuine, azp: ["https://app.example.com"] }, "claims"],
    ["no session", without("sid"), "sid"],
    ["a session that is none", { ...genuine, sid: "sess_1/tokens" }, "claims"],
    ["a session that waits for something", { ...genuine, sts: "pending" }, "claims"],
    ["no expiry", without("exp"), "exp"],
    ["an expiry in the past", { ...genuine, iat: now - 65, exp: now - 5 }, "exp"],
    ["no time of issue", without("iat"), "iat"],
    ["an issue over 10 minutes ago, however long it lives", { ...genuine, iat: now - 606, exp: now + 600 }, "iat"],
    ["an issue in the future", { ...genuine, iat: now + 6 }, "iat"],
    ["a time from which on it holds", { ...genuine, nbf: now + 6 }, "nbf"],
    ["no such time", without("nbf"), "nbf"]
  ]
  for (const [what, claims, check] of forgeries) {
    it.effect(`refuses ${what}`, () =>
      withKeys(() =>
        Effect.gen(function* () {
          assert.strictEqual(yield* refusal(yield* signed(claims, undefined, session)), check)
        })
      )
    )
  }

  it.effect("takes a token up to 10 minutes after its issue, and clocks that are 5 s apart", () =>
    withKeys(() =>
      Effect.gen(function* () {
        const token = yield* signed({ ...genuine, exp: now + 3_600 }, undefined, session)
        yield* TestClock.adjust("605 seconds")
        yield* verify(token)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* refusal(token), "iat")
      })
    )
  )

  for (const [what, header] of [
    ["a token of a JWT template, whatever it claims", template],
    ["a token of no category", {}],
    ["a category that is a list", { cat: [session.cat] }]
  ] as const) {
    it.effect(`refuses ${what}`, () =>
      withKeys(() =>
        Effect.gen(function* () {
          assert.strictEqual(yield* refusal(yield* signed(genuine, undefined, header)), "cat")
        })
      )
    )
  }

  it.effect("refuses an id_token, with the claims that Clerk writes and with all the others besides", () =>
    withKeys(() =>
      Effect.gen(function* () {
        const idToken = { ...without("sid"), aud: "the-oauth-application", nonce: "the-nonce" }
        assert.strictEqual(yield* refusal(yield* signed(idToken)), "sid")
        assert.strictEqual(yield* refusal(yield* signed({ ...idToken, sid: "sess_1" })), "cat")
      })
    )
  )

  it.effect("refuses keys that Clerk does not publish, and signatures by them under the name of one", () =>
    withKeys(() =>
      Effect.gen(function* () {
        const [, second] = yield* bothKeys
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* refusal(yield* signed(genuine, second, session)), "kid")
        const disguised = yield* signed(genuine, { ...second, kid: "first" }, session)
        assert.strictEqual(yield* refusal(disguised), "ERR_JWS_SIGNATURE_VERIFICATION_FAILED")
      })
    )
  )

  it.effect("refuses a changed claim under a genuine signature", () =>
    withKeys(() =>
      Effect.gen(function* () {
        const [header, , signature] = (yield* signed(genuine, undefined, session)).split(".")
        const claims = Buffer.from(JSON.stringify({ ...genuine, sub: "user_mina" })).toString("base64url")
        const token = [header, claims, signature].join(".")
        assert.strictEqual(yield* refusal(token), "ERR_JWS_SIGNATURE_VERIFICATION_FAILED")
      })
    )
  )

  it.effect("refuses a token without a signature, and HS256 with the public key for a secret", () =>
    withKeys(() =>
      Effect.gen(function* () {
        assert.strictEqual(yield* refusal(new jose.UnsecuredJWT(genuine).encode()), "ERR_JOSE_ALG_NOT_ALLOWED")
        assert.strictEqual(yield* refusal(yield* signedWithPublicKey(genuine, session)), "ERR_JOSE_ALG_NOT_ALLOWED")
      })
    )
  )

  it.effect("says that Clerk is unavailable, and not that the token is bad, when the keys cannot be fetched", () =>
    withKeys((keySet) =>
      Effect.gen(function* () {
        keySet.trouble = Effect.succeed(networkDown)
        assert.strictEqual(yield* refusal(yield* signed(genuine, undefined, session)), "ClerkUnavailable")
      })
    )
  )
})
