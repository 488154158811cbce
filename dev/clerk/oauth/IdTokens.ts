import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as jose from "jose"
import { randomSecret } from "../Ids.ts"
import { KeyRing, type Signer } from "../KeyRing.ts"
import { StandInClock } from "../StandInClock.ts"

/** What can be wrong with the next id_token that `/oauth/token` answers. */
export const Tampering = Schema.Literals([
  "wrong_issuer",
  "wrong_audience",
  "missing_audience",
  "wrong_nonce",
  "missing_nonce",
  "expired",
  "alg_none",
  "unknown_key",
  "wrong_signature",
  "missing_id_token"
])
export type Tampering = typeof Tampering.Type

const claimsWith = (claims: jose.JWTPayload, tampering: Tampering | undefined): jose.JWTPayload => {
  const { aud, nonce, ...others } = claims
  switch (tampering) {
    case "wrong_issuer":
      return { ...claims, iss: "https://clerk.somewhere-else.example" }
    case "wrong_audience":
      return { ...claims, aud: "another-client" }
    case "missing_audience":
      return { ...others, ...(nonce === undefined ? {} : { nonce }) }
    case "wrong_nonce":
      return { ...claims, nonce: "a-nonce-that-nobody-asked-for" }
    case "missing_nonce":
      return { ...others, ...(aud === undefined ? {} : { aud }) }
    case "expired":
      return { ...claims, iat: (claims.iat ?? 0) - 172_800, exp: (claims.exp ?? 0) - 172_800 }
    default:
      return claims
  }
}

const signerFor = (tampering: Tampering | undefined): Signer => {
  switch (tampering) {
    case "alg_none":
      return "none"
    case "unknown_key":
      return "unknown_key"
    case "wrong_signature":
      return "wrong_key_known_kid"
    default:
      return "current"
  }
}

/**
 * Signs each id_token anew on its way out. oidc-provider fixes its keys and reads the system clock; signing here lets
 * keys rotate, the clock shift, and a test tamper, and gives the token Clerk's claims (`jti`, never `sid`).
 */
export class IdTokens extends Context.Service<
  IdTokens,
  {
    readonly reissue: (idToken: string) => Effect.Effect<Option.Option<string>>
    /** Applies to the next id_token only. */
    readonly tamperWithNext: (tampering: Tampering) => Effect.Effect<void>
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/oauth/IdTokens") {
  static readonly layer = Layer.effect(
    IdTokens,
    Effect.gen(function* () {
      const clock = yield* StandInClock
      const keys = yield* KeyRing
      let next: Tampering | undefined = undefined

      return IdTokens.of({
        reissue: Effect.fnUntraced(function* (idToken) {
          const tampering: Tampering | undefined = next
          next = undefined
          if (tampering === "missing_id_token") return Option.none()
          const { sid: _, ...issued } = jose.decodeJwt(idToken)
          const offset = yield* clock.offsetSeconds
          const claims: jose.JWTPayload = {
            ...issued,
            iat: (issued.iat ?? 0) + offset,
            exp: (issued.exp ?? 0) + offset,
            jti: randomSecret(20)
          }
          return Option.some(yield* keys.sign(claimsWith(claims, tampering), {}, signerFor(tampering)))
        }),
        tamperWithNext: (tampering) => Effect.sync(() => void (next = tampering)),
        reset: Effect.sync(() => void (next = undefined))
      })
    })
  )
}
