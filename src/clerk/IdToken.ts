import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
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

/** The token names a key that the set does not hold: it may be newer than the set. */
class KeyUnknown extends Schema.TaggedError<KeyUnknown>()("KeyUnknown", {}) {}

const Jwks = Schema.Struct({
  keys: Schema.Array(
    Schema.StructWithRest(Schema.Struct({ kty: Schema.String }), [Schema.Record(Schema.String, Schema.Json)])
  )
})

const Claims = Schema.Struct({ sub: UserId, nonce: Schema.String, aud: Schema.Unknown })

/** How long a key set is used. */
const keepKeysFor = Duration.hours(1)
/** The shortest time between two fetches for a key that is not in the set. */
const refetchAfter = Duration.seconds(30)
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
      let keys: Keys | undefined

      const fetchKeys = Effect.fn("IdToken.fetchKeys")(
        function* (now: DateTime.Utc) {
          const response = yield* http.get(new URL("/.well-known/jwks.json", issuer))
          const jwks = yield* HttpClientResponse.schemaBodyJson(Jwks)(response)
          keys = { find: createLocalJWKSet({ keys: [...jwks.keys] }), fetchedAt: now }
          return keys
        },
        Effect.timeout(fetchTimeout),
        Effect.mapError(() => new ClerkUnavailable({ operation: "jwks" }))
      )

      const check = (token: string, { find }: Keys, now: DateTime.Utc) =>
        Effect.tryPromise({
          try: () =>
            jwtVerify(token, find, {
              algorithms: ["RS256"],
              issuer: issuer.origin,
              audience: clientId,
              requiredClaims: ["iss", "aud", "sub", "exp", "iat", "nonce"],
              clockTolerance,
              currentDate: DateTime.toDateUtc(now)
            }),
          catch: rejection
        })

      return IdToken.of({
        verify: Effect.fn("IdToken.verify")(function* (token, nonce) {
          const now = yield* DateTime.now
          const age = keys === undefined ? Duration.infinity : DateTime.distance(keys.fetchedAt, now)
          const known = keys === undefined || Duration.isGreaterThan(age, keepKeysFor) ? yield* fetchKeys(now) : keys
          const { payload } = yield* check(token, known, now).pipe(
            Effect.catchTag("KeyUnknown", () =>
              Duration.isLessThan(DateTime.distance(known.fetchedAt, now), refetchAfter)
                ? Effect.fail(new KeyUnknown())
                : Effect.flatMap(fetchKeys(now), (fetched) => check(token, fetched, now))
            ),
            Effect.catchTag("KeyUnknown", () => Effect.fail(new IdTokenRejected({ check: "kid" })))
          )
          const claims = yield* Schema.decodeUnknownEffect(Claims)(payload).pipe(
            Effect.mapError(() => new IdTokenRejected({ check: "claims" }))
          )
          if (Array.isArray(claims.aud) && claims.aud.length !== 1) return yield* new IdTokenRejected({ check: "aud" })
          if (claims.nonce !== nonce) return yield* new IdTokenRejected({ check: "nonce" })
          return claims.sub
        })
      })
    })
  )
}

interface Keys {
  readonly find: JWTVerifyGetKey
  readonly fetchedAt: DateTime.Utc
}

const rejection = (cause: unknown): KeyUnknown | IdTokenRejected => {
  if (cause instanceof errors.JWKSNoMatchingKey) return new KeyUnknown()
  if (cause instanceof errors.JWTClaimValidationFailed || cause instanceof errors.JWTExpired) {
    return new IdTokenRejected({ check: cause.claim })
  }
  return new IdTokenRejected({ check: cause instanceof errors.JOSEError ? cause.code : "format" })
}
