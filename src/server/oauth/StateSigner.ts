import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { JWTExpired } from "jose/errors"
import { CompactSign } from "jose/jws/compact/sign"
import { jwtVerify } from "jose/jwt/verify"

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
export type Purpose = "sign-in" | "app-sign-in" | "organization" | "question" | "operator" | "account" | "account-form"

const algorithm = "HS256"

/** The explicit type of a token (RFC 8725, section 3.11). */
const typeOf = (purpose: Purpose) => `${purpose}+jwt`

const decodePayload = Schema.decodeUnknownEffect(Schema.Struct({ payload: Schema.String }))

const utf8 = new TextEncoder()

/**
 * Signs what leaves for a browser and has to come back unchanged: a JWS in compact form (RFC 7515), HS256 only, with
 * `kid`, the purpose as `typ`, and `exp`. The first key of the ring signs, every key verifies what names it.
 */
export class StateSigner extends Context.Service<
  StateSigner,
  {
    /** Signs `payload`, which stays readable to whoever sees the result. `lifetime` is kept to the second. */
    readonly sign: (purpose: Purpose, payload: string, lifetime: Duration.Duration) => Effect.Effect<string>
    /** The payload of what `sign` made for the same purpose. Asks no storage. */
    readonly verify: (purpose: Purpose, signed: string) => Effect.Effect<string, StateError>
    /** A secret of 43 characters for a mechanism that signs by itself, derived from the first key of the ring. */
    readonly secretFor: (mechanism: string) => Effect.Effect<Redacted.Redacted>
  }
>()("oauth/StateSigner") {
  /** With the keys of the settings. */
  static readonly layer = Layer.unwrap(
    Effect.map(AppConfig, ({ STATE_SIGNING_KEYS: keys }) => StateSigner.layerOf(keys))
  )

  /**
   * With these keys. Whoever holds the server's own, as its operators do, can sign `operator`: the payload is the origin
   * of the server that it is meant for.
   */
  static readonly layerOf = (keys: AppConfig["Service"]["STATE_SIGNING_KEYS"]) =>
    Layer.sync(StateSigner, () => {
      const verifiers = new Map(keys.map(({ id, secret }) => [id, Redacted.value(secret)]))
      const { id: signingId, secret } = keys[0]
      const signingKey = Redacted.value(secret)

      const keyNamed = ({ kid }: { readonly kid?: string }) => {
        const key = verifiers.get(kid ?? "")
        if (key === undefined) throw new StateForged()
        return key
      }

      return StateSigner.of({
        sign: Effect.fnUntraced(function* (purpose, payload, lifetime) {
          const now = yield* Clock.currentTimeMillis
          const exp = Math.floor((now + Duration.toMillis(lifetime)) / 1_000)
          const jws = new CompactSign(utf8.encode(JSON.stringify({ payload, exp })))
          jws.setProtectedHeader({ alg: algorithm, kid: signingId, typ: typeOf(purpose) })
          return yield* Effect.promise(() => jws.sign(signingKey))
        }),

        verify: Effect.fnUntraced(function* (purpose, signed) {
          const now = yield* DateTime.now
          const options = {
            algorithms: [algorithm],
            typ: typeOf(purpose),
            requiredClaims: ["exp"],
            currentDate: DateTime.toDateUtc(now)
          }
          const { payload } = yield* Effect.tryPromise({
            // The last character of a base64url text may hold bits that count for nothing: they must not differ either.
            try: () => (isCanonical(signed) ? jwtVerify(signed, keyNamed, options) : Promise.reject(new StateForged())),
            catch: (cause) =>
              new StateError({ reason: cause instanceof JWTExpired ? new StateExpired() : new StateForged() })
          })
          const known = yield* Effect.mapError(
            decodePayload(payload),
            () => new StateError({ reason: new StateForged() })
          )
          return known.payload
        }),

        secretFor: (mechanism) =>
          Effect.map(
            Effect.promise(() => hmac(signingKey, `secret for ${mechanism}`)),
            (bytes) => Redacted.make(Base64Url.encode(new Uint8Array(bytes)))
          )
      })
    })
}

/** HMAC-SHA256 (RFC 2104). */
const hmac = async (secret: Uint8Array, text: string) => {
  const algorithm = { name: "HMAC", hash: "SHA-256" }
  const key = await crypto.subtle.importKey("raw", new Uint8Array(secret), algorithm, false, ["sign"])
  return crypto.subtle.sign("HMAC", key, utf8.encode(text))
}

/** Whether every part is written as base64url writes it, so that one token has one spelling (RFC 7515, appendix C). */
const isCanonical = (signed: string): boolean =>
  signed.split(".").every((part) => {
    const bytes = Result.getOrUndefined(Base64Url.decode(part))
    return bytes !== undefined && Base64Url.encode(bytes) === part
  })
