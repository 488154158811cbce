import * as Clock from "effect/Clock"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { accessUseOf, refreshesOf } from "./GrantRecords.ts"
import { type Change, Records } from "./Records.ts"

/**
 * A refresh token that was used: when, and when it was answered last, in milliseconds since 1970, what it was replaced by,
 * and the ids of the access tokens that it was answered with.
 */
const Used = Schema.fromJsonString(
  Schema.Struct({
    usedAt: Schema.Finite,
    answeredAt: Schema.optionalKey(Schema.Finite),
    successor: Schema.NullOr(Schema.String),
    access: Schema.optionalKey(Schema.Array(Schema.String))
  })
)
type Used = typeof Used.Type
const decodeUsed = Schema.decodeUnknownOption(Used)
const encodeUsed = Schema.encodeSync(Used)

/** What the token endpoint answers to a refresh, as far as anybody compares it. */
export const TokenAnswer = Schema.fromJsonString(
  Schema.Struct({
    access_token: Schema.String,
    refresh_token: Schema.String,
    expires_in: Schema.Finite,
    scope: Schema.String,
    resource: Schema.Unknown
  })
)

/** Of how many access tokens that one refresh token was answered with the use is known: of the newest. */
const mostAnswers = 10

const utf8 = new TextEncoder()

/** In bytes (NIST SP 800-38D, section 5.2.1.1). */
const ivLength = 12
const aesGcm = (iv: Uint8Array) => ({ name: "AES-GCM", iv: new Uint8Array(iv) })

/** Only who has the token can make this key. */
const keyOf = async (token: string) =>
  crypto.subtle.importKey(
    "raw",
    await crypto.subtle.digest("SHA-256", utf8.encode(`answer to ${token}`)),
    "AES-GCM",
    false,
    ["encrypt", "decrypt"]
  )

/** How long a used refresh token is remembered, and for how long its answer is repeated, in milliseconds. */
interface Times {
  readonly remembered: number
  readonly repeated: number
}

/**
 * The refresh tokens of grants that were used. A client that did not get its answer sends the same token again, and so
 * do processes of one client that share it: as long as nobody used its successor, they get the same answer for a while,
 * kept under a key that only the token yields. Who presents a token whose successor was used has it from somebody else
 * (RFC 9700, section 4.14).
 */
export const makeRefreshes = Effect.fnUntraced(function* ({ remembered, repeated }: Times) {
  const records = yield* Records
  const digest = yield* Digest.Digest
  const random = yield* SecureRandom.SecureRandom

  const hash = (token: string) => Effect.orDie(digest.digestHex(Digest.sha256, utf8.encode(token)))
  const row = (grantId: string, id: string) => `${refreshesOf(grantId)}${id}`
  const answer = (grantId: string, id: string) => `${row(grantId, id)}:answer`

  return {
    hash,

    /** Whether an access token that it was answered with was used. */
    isSpent: ({ access = [] }: Used, grantId: string) =>
      Effect.map(
        Effect.forEach(access, (id) => records.get(accessUseOf(grantId, id))),
        (marks) => marks.some((mark) => mark !== undefined)
      ),

    /** The use of a token before, if it was used. */
    find: Effect.fnUntraced(function* (grantId: string, token: string) {
      const stored = yield* records.get(row(grantId, yield* hash(token)))
      return Option.getOrUndefined(decodeUsed(stored))
    }),

    /** The answer that the token got, while it is repeated. */
    answered: Effect.fnUntraced(function* (grantId: string, token: string) {
      const sealed = yield* records.get(answer(grantId, yield* hash(token)))
      const bytes = new Uint8Array(Result.getOrElse(Base64Url.decode(sealed ?? ""), () => new Uint8Array()))
      if (bytes.length <= ivLength) return undefined
      const opened = yield* Effect.promise(async () =>
        crypto.subtle.decrypt(aesGcm(bytes.subarray(0, ivLength)), await keyOf(token), bytes.subarray(ivLength))
      )
      return new TextDecoder().decode(opened)
    }),

    /**
     * What is written when a token is used and replaced. `before`: its use before, whose successor nobody used. It was
     * answered before with the same refresh token where that one is `kept`: for no longer than the first answer is.
     */
    use: Effect.fnUntraced(function* (
      grantId: string,
      token: string,
      body: string,
      before: Used | undefined,
      kept: "kept" | "replaced" = "replaced"
    ): Effect.fn.Return<ReadonlyArray<Change>> {
      const now = yield* Clock.currentTimeMillis
      const id = yield* hash(token)
      const { access_token, refresh_token: next } = yield* Effect.orDie(Schema.decodeUnknownEffect(TokenAnswer)(body))
      const successor = yield* hash(next)
      const iv = yield* random.randomBytes(ivLength)
      const sealed = yield* Effect.promise(async () =>
        crypto.subtle.encrypt(aesGcm(iv), await keyOf(token), utf8.encode(body))
      )
      const used = (key: string, use: Used): Change => ({
        key,
        value: encodeUsed(use),
        expiresAt: use.usedAt + remembered
      })
      const first = kept === "kept" ? before : undefined
      const usedAt = first?.usedAt ?? now
      const access = [...(first?.access ?? []), yield* hash(access_token)].slice(-mostAnswers)
      const value = Base64Url.encode(Uint8Array.of(...iv, ...new Uint8Array(sealed)))
      return [
        used(row(grantId, id), { usedAt, answeredAt: now, successor, access }),
        // It was handed out and is replaced unused: whoever still comes with it is not alone.
        ...(first === undefined && before?.successor
          ? [used(row(grantId, before.successor), { usedAt: now, successor: null })]
          : []),
        ...(repeated > 0 ? [{ key: answer(grantId, id), value, expiresAt: usedAt + repeated }] : [])
      ]
    })
  }
})

/** For how many seconds an answer is repeated, unless `REFRESH_GRACE_SECONDS` says so. */
const graceSeconds = 60

export const timesOf = (refreshToken: number, grace = graceSeconds): Times => ({
  remembered: Duration.toMillis(Duration.seconds(refreshToken)),
  repeated: Duration.toMillis(Duration.seconds(grace))
})
