import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as jose from "jose"
import { randomId } from "./Ids.ts"
import { StandInSettings } from "./StandInOptions.ts"

type PrivateKey = jose.CryptoKey | Uint8Array

interface SigningKey {
  readonly kid: string
  readonly privateKey: PrivateKey
  readonly publicJwk: jose.JWK
}

/** How a token is signed: as Clerk does, or as an attacker would. */
export type Signer = "current" | "unknown_key" | "wrong_key_known_kid" | "none"

/** The instance's RS256 keys. The newest signs; the published set may lag, as during a rotation. */
export class KeyRing extends Context.Service<
  KeyRing,
  {
    readonly sign: (
      claims: jose.JWTPayload,
      header: { readonly [name: string]: string },
      signer?: Signer
    ) => Effect.Effect<string>
    readonly published: Effect.Effect<{ readonly keys: ReadonlyArray<jose.JWK> }>
    readonly currentPrivateJwk: Effect.Effect<jose.JWK>
    /** A new key signs from now on. `keepPrevious` leaves the former ones published. Answers the new `kid`. */
    readonly rotate: (keepPrevious: boolean) => Effect.Effect<string>
  }
>()("dev/clerk/KeyRing") {
  static readonly layer = Layer.effect(
    KeyRing,
    Effect.gen(function* () {
      const { signingKey } = yield* StandInSettings

      const fromJwk = Effect.fnUntraced(function* (jwk: jose.JWK) {
        const kid = jwk.kid ?? randomId("ins")
        const privateKey = yield* Effect.promise(() => jose.importJWK(jwk, "RS256", { extractable: true }))
        const publicJwk: jose.JWK = { use: "sig", kty: "RSA", kid, alg: "RS256" }
        if (jwk.n !== undefined) publicJwk.n = jwk.n
        if (jwk.e !== undefined) publicJwk.e = jwk.e
        return { kid, privateKey, publicJwk } satisfies SigningKey
      })

      const generate = Effect.gen(function* () {
        const pair = yield* Effect.promise(() => jose.generateKeyPair("RS256", { extractable: true }))
        const jwk = yield* Effect.promise(() => jose.exportJWK(pair.privateKey))
        return yield* fromJwk(jwk)
      })

      let current: SigningKey = yield* signingKey === undefined ? generate : fromJwk(signingKey)
      let published: ReadonlyArray<jose.JWK> = [current.publicJwk]
      const stranger = yield* Effect.cached(generate)

      const signWith = (
        key: PrivateKey,
        kid: string,
        claims: jose.JWTPayload,
        header: { readonly [name: string]: string }
      ) =>
        Effect.promise(() =>
          new jose.SignJWT(claims).setProtectedHeader({ ...header, alg: "RS256", kid, typ: "JWT" }).sign(key)
        )

      return KeyRing.of({
        sign: Effect.fnUntraced(function* (claims, header, signer = "current") {
          switch (signer) {
            case "current":
              return yield* signWith(current.privateKey, current.kid, claims, header)
            case "unknown_key": {
              const key = yield* stranger
              return yield* signWith(key.privateKey, key.kid, claims, header)
            }
            case "wrong_key_known_kid":
              return yield* signWith((yield* stranger).privateKey, current.kid, claims, header)
            case "none":
              return `${jose.base64url.encode(JSON.stringify({ alg: "none", typ: "JWT" }))}.${jose.base64url.encode(
                JSON.stringify(claims)
              )}.`
          }
        }),
        published: Effect.sync(() => ({ keys: published })),
        currentPrivateJwk: Effect.suspend(() => Effect.promise(() => jose.exportJWK(current.privateKey))),
        rotate: Effect.fnUntraced(function* (keepPrevious) {
          current = yield* generate
          published = keepPrevious ? [current.publicJwk, ...published] : [current.publicJwk]
          return current.kid
        })
      })
    })
  )
}
