import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { createLocalJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from "jose"

import { AppConfig } from "../config/AppConfig.ts"
import { UserId } from "../domain/Identity.ts"
import { ClerkUnavailable } from "./ClerkError.ts"

/** The id_token proves nothing here. `check` names the claim or the step that failed, never a value. */
export class IdTokenRejected extends Schema.TaggedError<IdTokenRejected>()("IdTokenRejected", {
  check: Schema.String
}) {}

const Jwks = Schema.Struct({
  keys: Schema.Array(
    Schema.StructWithRest(Schema.Struct({ kty: Schema.String }), [Schema.Record(Schema.String, Schema.Json)])
  )
})

const Claims = Schema.Struct({ sub: UserId, nonce: Schema.String, aud: Schema.Unknown })

/** How long a key set is used, in milliseconds. */
const keepKeysFor = Duration.toMillis("1 hour")
/** The shortest time between two fetches for a key that is not in the set, in milliseconds. */
const refetchAfter = Duration.toMillis("30 seconds")
const fetchTimeout = Duration.seconds(5)
const clockTolerance = "5 seconds"

/**
 * Checks Clerk's id_tokens (OpenID Connect Core 1.0, section 3.1.3.7): RS256 by a key that Clerk publishes, `iss`,
 * `aud` present and nobody else's, `exp` and `iat` present, `exp` in the future, `nonce` as sent.
 */
export class IdToken extends Context.Service<
  IdToken,
  {
    /** The user whom the token names. */
    readonly verify: (token: string, nonce: string) => Effect.Effect<UserId, IdTokenRejected | ClerkUnavailable>
  }
>()("clerk/IdToken") {
  static readonly layer = Layer.effect(
    IdToken,
    Effect.gen(function* () {
      const { CLERK_FRONTEND_API: issuer, CLERK_CLIENT_ID: clientId } = yield* AppConfig
      const http = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
      let keys: { readonly find: JWTVerifyGetKey; readonly fetchedAt: number } | undefined

      const fetchKeys = Effect.fn("IdToken.fetchKeys")(
        function* () {
          const response = yield* http.get(new URL("/.well-known/jwks.json", issuer))
          const jwks = yield* HttpClientResponse.schemaBodyJson(Jwks)(response)
          keys = { find: createLocalJWKSet({ keys: [...jwks.keys] }), fetchedAt: yield* Clock.currentTimeMillis }
          return keys
        },
        Effect.timeout(fetchTimeout),
        Effect.mapError(() => new ClerkUnavailable({ operation: "jwks" }))
      )

      const check = (token: string, find: JWTVerifyGetKey, now: number) =>
        Effect.tryPromise({
          try: () =>
            jwtVerify(token, find, {
              algorithms: ["RS256"],
              issuer: issuer.origin,
              audience: clientId,
              requiredClaims: ["iss", "aud", "sub", "exp", "iat", "nonce"],
              clockTolerance,
              currentDate: new Date(now)
            }),
          catch: (cause) => cause
        })

      return IdToken.of({
        verify: Effect.fn("IdToken.verify")(function* (token, nonce) {
          const now = yield* Clock.currentTimeMillis
          const current = keys !== undefined && now - keys.fetchedAt < keepKeysFor ? keys : yield* fetchKeys()
          const { payload } = yield* check(token, current.find, now).pipe(
            Effect.catchIf(
              (cause) => cause instanceof errors.JWKSNoMatchingKey && now - current.fetchedAt >= refetchAfter,
              () => Effect.flatMap(fetchKeys(), (fetched) => check(token, fetched.find, now))
            ),
            Effect.mapError((cause) => (cause instanceof ClerkUnavailable ? cause : rejection(cause)))
          )
          const claims = yield* Schema.decodeUnknownEffect(Claims)(payload).pipe(
            Effect.mapError(() => new IdTokenRejected({ check: "claims" }))
          )
          const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
          if (audiences.length !== 1) return yield* new IdTokenRejected({ check: "aud" })
          if (claims.nonce !== nonce) return yield* new IdTokenRejected({ check: "nonce" })
          return claims.sub
        })
      })
    })
  )
}

const rejection = (cause: unknown): IdTokenRejected => {
  if (cause instanceof errors.JWTClaimValidationFailed || cause instanceof errors.JWTExpired) {
    return new IdTokenRejected({ check: cause.claim })
  }
  return new IdTokenRejected({ check: cause instanceof errors.JOSEError ? cause.code : "format" })
}
