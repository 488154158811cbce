import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"

/** Not signed by this server for this purpose, or changed since. */
export class StateForged extends Schema.TaggedError<StateForged>()("StateForged", {}) {}

/** Signed by this server, but too long ago. */
export class StateExpired extends Schema.TaggedError<StateExpired>()("StateExpired", {}) {}

/** A `state` that is not honoured. */
export class StateError extends Schema.TaggedError<StateError>()("StateError", {
  reason: Schema.Union([StateForged, StateExpired])
}) {}

/** What a signature is for. One made for one purpose is worth nothing for another. */
export type Purpose = "sign-in" | "app-sign-in" | "question"

/** What is signed. `expiresAt` is in milliseconds since 1970. */
const Claims = Schema.fromJsonString(
  Schema.Struct({ purpose: Schema.String, expiresAt: Schema.Finite, payload: Schema.String })
)

const utf8 = new TextEncoder()

/**
 * Signs what leaves for a browser and has to come back unchanged: `keyId.claims.tag`, where the tag is HMAC-SHA256
 * over `keyId.claims` (RFC 2104). The first key of the ring signs, every key verifies, so that keys can be rotated.
 */
export class StateSigner extends Context.Service<
  StateSigner,
  {
    /** Signs `payload`, which stays readable to whoever sees the result. */
    readonly sign: (purpose: Purpose, payload: string, lifetime: Duration.Duration) => Effect.Effect<string>
    /** The payload of what `sign` made for the same purpose. Asks no storage. */
    readonly verify: (purpose: Purpose, signed: string) => Effect.Effect<string, StateError>
    /** A secret of 43 characters for a mechanism that signs by itself, derived from the first key of the ring. */
    readonly secretFor: (mechanism: string) => Effect.Effect<Redacted.Redacted>
  }
>()("oauth/StateSigner") {
  static readonly layerNoDeps = Layer.effect(
    StateSigner,
    Effect.gen(function* () {
      const mac = yield* Mac.Mac
      const { STATE_SIGNING_KEYS: keys } = yield* AppConfig
      const ring = yield* Effect.forEach(keys, ({ id, secret }) =>
        Effect.map(Mac.key(Mac.hmacSha256, Redacted.value(secret)), (key) => [id, key] as const)
      ).pipe(Effect.orDie)
      const verifiers = new Map(ring)
      const [signingId, signingKey] = ring[0]

      const tag = (text: string) => Effect.orDie(mac.sign(signingKey, utf8.encode(text)))
      const forged = new StateError({ reason: new StateForged() })

      return StateSigner.of({
        sign: Effect.fnUntraced(function* (purpose, payload, lifetime) {
          const expiresAt = (yield* Clock.currentTimeMillis) + Duration.toMillis(lifetime)
          const claims = yield* Effect.orDie(Schema.encodeEffect(Claims)({ purpose, expiresAt, payload }))
          const signed = `${signingId}.${Base64Url.encode(claims)}`
          return `${signed}.${Base64Url.encode(yield* tag(signed))}`
        }),

        verify: Effect.fnUntraced(function* (purpose, signed) {
          const [id, claims, tag, ...more] = signed.split(".")
          if (id === undefined || claims === undefined || tag === undefined || more.length > 0) return yield* forged
          const key = verifiers.get(id)
          const bytes = Result.getOrUndefined(Base64Url.decode(tag))
          if (key === undefined || bytes === undefined || Base64Url.encode(bytes) !== tag) return yield* forged
          const genuine = yield* Effect.orDie(mac.verify(key, bytes, utf8.encode(`${id}.${claims}`)))
          if (!genuine) return yield* forged
          const decoded = Result.getOrElse(Base64Url.decodeString(claims), () => "")
          const known = Option.filter(
            Schema.decodeOption(Claims)(decoded),
            (candidate) => candidate.purpose === purpose
          )
          if (Option.isNone(known)) return yield* forged
          if (known.value.expiresAt <= (yield* Clock.currentTimeMillis)) {
            return yield* new StateError({ reason: new StateExpired() })
          }
          return known.value.payload
        }),

        secretFor: (mechanism) =>
          Effect.map(tag(`secret for ${mechanism}`), (bytes) => Redacted.make(Base64Url.encode(bytes)))
      })
    })
  )

  static readonly layer = this.layerNoDeps.pipe(
    Layer.provide(Mac.layerWebCrypto),
    Layer.provide(SecureRandom.layerWebCrypto)
  )
}
