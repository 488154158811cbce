import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import {
  createLocalJWKSet,
  errors,
  type JWTPayload,
  type JWTHeaderParameters,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions
} from "jose"

import { AppConfig } from "../config/AppConfig.ts"
import { ClerkMisconfigured, ClerkUnavailable, ClerkUnexpected } from "./ClerkError.ts"

/** The token proves nothing here. `check` names the claim or the step that failed, never a value. */
export class TokenRejected extends Schema.TaggedError<TokenRejected>()("TokenRejected", {
  check: Schema.String
}) {}

/** The token names a key that the set does not hold: it may be newer than the set. */
class KeyUnknown extends Schema.TaggedError<KeyUnknown>()("KeyUnknown", {}) {}

const Jwks = Schema.Struct({
  keys: Schema.Array(
    Schema.StructWithRest(Schema.Struct({ kty: Schema.String }), [Schema.Record(Schema.String, Schema.Json)])
  )
})

const operation = "jwks"
/** How long a key set is used. */
const keepKeysFor = Duration.hours(1)
/** The shortest time between two fetches for a key that is not in the set. */
const refetchAfter = Duration.seconds(30)
const fetchTimeout = Duration.seconds(5)
const clockTolerance = "5 seconds"

/** Why there are no keys. Only what may pass by itself is unavailable; the rest is a wrong `CLERK_FRONTEND_API`. */
type NoKeys = ClerkUnavailable | ClerkMisconfigured | ClerkUnexpected

/** What a kind of token has to satisfy beside its signature, `iss` and `exp`. */
export type Demands = Pick<JWTVerifyOptions, "audience" | "maxTokenAge"> & { readonly claims: ReadonlyArray<string> }

/** A token whose demands are met. */
export interface Verified {
  readonly header: JWTHeaderParameters
  readonly payload: JWTPayload
}

/**
 * Checks tokens that the Clerk instance signed (RFC 7519, section 7.2): RS256 by a key that it publishes, `iss`, `exp`
 * and `iat` present, `exp` in the future, and what the kind of token demands.
 */
export class ClerkJwt extends Context.Service<
  ClerkJwt,
  {
    readonly verify: (token: string, demands: Demands) => Effect.Effect<Verified, TokenRejected | NoKeys>
  }
>()("clerk/ClerkJwt") {
  static readonly layerNoDeps = Layer.effect(
    ClerkJwt,
    Effect.gen(function* () {
      const { CLERK_FRONTEND_API: issuer } = yield* AppConfig
      const http = yield* HttpClient.HttpClient
      let keys: Keys | undefined

      const fetchKeys = Effect.fn("ClerkJwt.fetchKeys")(
        function* (now: DateTime.Utc) {
          const response = yield* http.get(new URL("/.well-known/jwks.json", issuer))
          const { status, headers } = response
          if (status === 429 || status >= 500) return yield* new ClerkUnavailable({ operation, status })
          if (status !== 200) return yield* new ClerkMisconfigured({ operation, status })
          if (headers["content-type"]?.includes("json") !== true) {
            return yield* new ClerkUnexpected({ operation, detail: "no JSON" })
          }
          const jwks = yield* HttpClientResponse.schemaBodyJson(Jwks)(response)
          keys = { find: createLocalJWKSet({ keys: [...jwks.keys] }), fetchedAt: now }
          return keys
        },
        Effect.timeout(fetchTimeout),
        Effect.catchTags({
          TimeoutError: () => Effect.fail(new ClerkUnavailable({ operation })),
          HttpClientError: () => Effect.fail(new ClerkUnavailable({ operation })),
          SchemaError: () => Effect.fail(new ClerkUnexpected({ operation, detail: "no key set" }))
        })
      )

      const check = (token: string, { claims, ...demands }: Demands, { find }: Keys, now: DateTime.Utc) =>
        Effect.tryPromise({
          try: () =>
            jwtVerify(token, find, {
              ...demands,
              algorithms: ["RS256"],
              issuer: issuer.origin,
              requiredClaims: ["iss", "sub", "exp", "iat", ...claims],
              clockTolerance,
              currentDate: DateTime.toDateUtc(now)
            }),
          catch: rejection
        })

      return ClerkJwt.of({
        verify: Effect.fn("ClerkJwt.verify")(function* (token, demands) {
          const now = yield* DateTime.now
          const age = keys === undefined ? Duration.infinity : DateTime.distance(keys.fetchedAt, now)
          const known = keys === undefined || Duration.isGreaterThan(age, keepKeysFor) ? yield* fetchKeys(now) : keys
          const { payload, protectedHeader } = yield* check(token, demands, known, now).pipe(
            Effect.catchTag("KeyUnknown", () =>
              Duration.isLessThan(DateTime.distance(known.fetchedAt, now), refetchAfter)
                ? Effect.fail(new KeyUnknown())
                : Effect.flatMap(fetchKeys(now), (fetched) => check(token, demands, fetched, now))
            ),
            Effect.catchTag("KeyUnknown", () => Effect.fail(new TokenRejected({ check: "kid" })))
          )
          return { header: protectedHeader, payload }
        })
      })
    })
  )

  static readonly layer = this.layerNoDeps.pipe(Layer.provide(FetchHttpClient.layer))
}

interface Keys {
  readonly find: JWTVerifyGetKey
  readonly fetchedAt: DateTime.Utc
}

const rejection = (cause: unknown): KeyUnknown | TokenRejected => {
  if (cause instanceof errors.JWKSNoMatchingKey) return new KeyUnknown()
  if (cause instanceof errors.JWTClaimValidationFailed || cause instanceof errors.JWTExpired) {
    return new TokenRejected({ check: cause.claim })
  }
  return new TokenRejected({ check: cause instanceof errors.JOSEError ? cause.code : "format" })
}
