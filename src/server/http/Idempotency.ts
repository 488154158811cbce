import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Hex from "effect/encoding/Hex"
import * as Cookies from "effect/http/Cookies"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

import * as SingleFlight from "../access/SingleFlight.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import type { AuthorizationFailure } from "../oauth/AuthorizationFailure.ts"
import { OAuthStorage } from "../oauth/OAuthStorage.ts"
import { fromResponse } from "./WebRequest.ts"

/** How long an answer is repeated, in seconds: the shortest time to live of Workers KV. */
const lifetime = 60

/** A response as plain data, so that another request can send it. */
const Answer = Schema.fromJsonString(
  Schema.Struct({
    status: Schema.Int,
    headers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
    body: Schema.String
  })
)

const utf8 = new TextEncoder()

/** In bytes (NIST SP 800-38D, section 5.2.1.1). */
const ivLength = 12
const aesGcm = (iv: Uint8Array) => ({ name: "AES-GCM", iv: new Uint8Array(iv) })

/** The key of one answer. */
const keyOf = async (secret: string) =>
  crypto.subtle.importKey("raw", await crypto.subtle.digest("SHA-256", utf8.encode(secret)), "AES-GCM", false, [
    "encrypt",
    "decrypt"
  ])

const cookieName = "__Host-sign-in"

/** The cookie by which a browser is not known any more: nothing is answered again to it. */
export const forgotten = `${cookieName}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0`

/** The secret of the browser, if it is one of ours. */
const secretOf = (request: Request): string | undefined => {
  const secret = Cookies.parseHeader(request.headers.get("cookie") ?? "")[cookieName]
  return secret !== undefined && /^[0-9a-f]{32}$/u.test(secret) ? secret : undefined
}

/**
 * Answers a form that is sent twice like the first time: a double click, a page that the browser loads again.
 *
 * A handle of the OAuth library works once. What used it up is answered again for 60 s to the same browser, if all that
 * it sends is the same: it is known by a secret in a cookie, because whoever sees an address knows the handle in it.
 * Requests in one isolate share one run. Others find the answer in the store, sealed under a key that only handle and
 * secret yield. Two isolates that begin at the same moment may both serve.
 */
export class Idempotency extends Context.Service<
  Idempotency,
  {
    /** The cookie by which a browser is known that begins a sign-in. It lasts for half an hour. */
    readonly known: (request: Request) => Effect.Effect<Headers>
    /** Serves what uses up `handle`. `sent` is all that decides the answer. Failures are not kept. */
    readonly once: <R>(
      request: Request,
      handle: string,
      sent: string,
      serve: Effect.Effect<HttpServerResponse.HttpServerResponse, AuthorizationFailure, R>
    ) => Effect.Effect<HttpServerResponse.HttpServerResponse, AuthorizationFailure, R>
  }
>()("http/Idempotency") {
  static readonly layer = Layer.effect(
    Idempotency,
    Effect.gen(function* () {
      const digest = yield* Digest.Digest
      const random = yield* SecureRandom.SecureRandom
      const storage = yield* OAuthStorage
      const share = SingleFlight.make<typeof Answer.Type, AuthorizationFailure>(yield* KeepAlive)
      const hash = (text: string) => digest.digestHex(Digest.sha256, utf8.encode(text))

      const keep = Effect.fnUntraced(
        function* (name: string, secret: string, answer: typeof Answer.Type) {
          const iv = yield* random.randomBytes(ivLength)
          const text = utf8.encode(yield* Schema.encodeEffect(Answer)(answer))
          yield* Effect.tryPromise(async () => {
            const sealed = await crypto.subtle.encrypt(aesGcm(iv), await keyOf(secret), text)
            const stored = Base64Url.encode(Uint8Array.of(...iv, ...new Uint8Array(sealed)))
            await storage.put(name, stored, { expirationTtl: lifetime })
          })
        },
        // If it is not stored, a repeated form is refused; nothing else is lost.
        (kept) => Effect.ignore(kept)
      )

      const kept = Effect.fnUntraced(function* (name: string, secret: string) {
        const stored = (yield* Effect.tryPromise(() => storage.get(name))) ?? ""
        const bytes = new Uint8Array(yield* Effect.fromResult(Base64Url.decode(stored)))
        const text = yield* Effect.tryPromise(async () =>
          crypto.subtle.decrypt(aesGcm(bytes.subarray(0, ivLength)), await keyOf(secret), bytes.subarray(ivLength))
        )
        return yield* Schema.decodeEffect(Answer)(new TextDecoder().decode(text))
      })

      const once = Effect.fnUntraced(function* <R>(
        request: Request,
        handle: string,
        sent: string,
        serve: Effect.Effect<HttpServerResponse.HttpServerResponse, AuthorizationFailure, R>
      ) {
        const browser = secretOf(request)
        if (browser === undefined) return yield* serve
        const name = `answer:${yield* hash(`name ${browser} ${handle} ${sent}`)}`
        const secret = `key ${browser} ${handle} ${sent}`

        const first = Effect.gen(function* () {
          const response = HttpServerResponse.toWeb(yield* serve)
          const body = yield* Effect.promise(() => response.text())
          const answer = { status: response.status, headers: [...response.headers], body }
          yield* keep(name, secret, answer)
          return answer
        })
        const again = Effect.gen(function* () {
          const handleHash = yield* hash(handle)
          const transaction = yield* Effect.tryPromise(() => storage.get(`transaction:${handleHash}`))
          if (transaction !== null) return yield* Effect.fail("not used up")
          // Another isolate may have used the handle up and not stored its answer yet.
          return yield* Effect.retry(kept(name, secret), { times: 2, schedule: Schedule.spaced("500 millis") })
        })
        const answer = yield* share(
          name,
          Effect.catchTag(first, "AuthorizationFailure", (failure) =>
            failure.reason._tag === "RequestRejected" && failure.redirect === undefined
              ? Effect.mapError(again, () => failure)
              : Effect.fail(failure)
          )
        )
        const headers = new Headers(answer.headers.map(([header, value]): [string, string] => [header, value]))
        return fromResponse(
          new Response(answer.status === 302 ? null : answer.body, { status: answer.status, headers })
        )
      })

      return Idempotency.of({
        known: Effect.fnUntraced(function* (request) {
          const secret = secretOf(request) ?? Hex.encode(yield* random.randomBytes(16))
          const cookie = `${cookieName}=${secret}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=1800`
          return new Headers({ "set-cookie": cookie })
        }),
        once
      })
    })
  ).pipe(Layer.provide([Digest.layerWebCrypto, SecureRandom.layerWebCrypto]))
}
