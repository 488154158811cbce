import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { UserId } from "../domain/Principal.ts"
import { ClerkJwt, TokenRejected } from "./ClerkJwt.ts"

const decodeClaims = Schema.decodeUnknownEffect(
  Schema.Struct({ sub: UserId, nonce: Schema.String, aud: Schema.Unknown })
)

/** What an id_token has to say: whom it was made for, and for which sign-in. */
export interface Expected {
  readonly clientId: string
  readonly nonce: string
}

/**
 * The user whom one of Clerk's id_tokens names (OpenID Connect Core 1.0, section 3.1.3.7): `aud` present and nobody
 * else's, `nonce` as sent.
 */
export const verifyIdToken = Effect.fn("IdToken.verify")(function* (token: string, { clientId, nonce }: Expected) {
  const jwt = yield* ClerkJwt
  const { payload } = yield* jwt.verify(token, { audience: clientId, claims: ["aud", "nonce"] })
  const claims = yield* Effect.mapError(decodeClaims(payload), () => new TokenRejected({ check: "claims" }))
  if (Array.isArray(claims.aud) && claims.aud.length !== 1) return yield* new TokenRejected({ check: "aud" })
  if (claims.nonce !== nonce) return yield* new TokenRejected({ check: "nonce" })
  return claims.sub
})
