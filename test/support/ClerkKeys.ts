import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as jose from "jose"

import { ClerkJwt } from "../../src/server/clerk/ClerkJwt.ts"
import { fakeHttp, type networkDown } from "../../src/server/testing/FakeHttp.ts"
import { testConfig } from "./TestConfig.ts"

const pair = async (kid: string) => {
  const { publicKey, privateKey } = await jose.generateKeyPair("RS256", { extractable: true })
  const jwk = { ...(await jose.exportJWK(publicKey)), kid, alg: "RS256", use: "sig" }
  return { kid, privateKey, publicKey, jwk }
}
const keys = Promise.all([pair("first"), pair("second")])

/** Two key pairs of the instance. The key set holds the first, unless a test changes it. */
export const bothKeys = Effect.promise(() => keys)

/** When these tests take place, in seconds since 1970. */
export const now = Date.UTC(2026, 10, 22) / 1_000

/** Claims with a real RS256 signature: of the first key unless told otherwise. */
export const signed = (
  claims: jose.JWTPayload,
  key?: Awaited<ReturnType<typeof pair>>,
  header: Partial<jose.JWTHeaderParameters> = {}
) =>
  Effect.promise(async () => {
    const { kid, privateKey } = key ?? (await keys)[0]
    return new jose.SignJWT(claims).setProtectedHeader({ ...header, alg: "RS256", kid }).sign(privateKey)
  })

/** Claims signed with the public key for a secret. */
export const signedWithPublicKey = (claims: jose.JWTPayload, header: Partial<jose.JWTHeaderParameters> = {}) =>
  Effect.promise(async () => {
    const [{ publicKey, kid }] = await keys
    const secret = new TextEncoder().encode(await jose.exportSPKI(publicKey))
    return new jose.SignJWT(claims).setProtectedHeader({ ...header, alg: "HS256", kid }).sign(secret)
  })

/** Clerk's key set, with what it holds, how often it was asked for, and what it answers instead. */
class KeySet {
  published: Array<jose.JWK> = []
  fetched = 0
  trouble: Effect.Effect<Response | typeof networkDown> | undefined
  readonly layer = ClerkJwt.layerNoDeps.pipe(
    Layer.provide(
      fakeHttp((request) =>
        Effect.suspend(() => {
          this.fetched += 1
          assert.strictEqual(request.url, "https://clerk.example.com/.well-known/jwks.json")
          return this.trouble ?? Effect.succeed(Response.json({ keys: this.published }))
        })
      )
    ),
    Layer.provide(testConfig())
  )
}

/** A test at a fixed moment, in front of a key set that holds the first key. */
export const withKeys = <A, E>(test: (keySet: KeySet) => Effect.Effect<A, E, ClerkJwt>) =>
  Effect.gen(function* () {
    const keySet = new KeySet()
    keySet.published = [(yield* bothKeys)[0].jwk]
    yield* TestClock.setTime(now * 1_000)
    return yield* Effect.provide(test(keySet), keySet.layer)
  })
