import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { EventId } from "../domain/Principal.ts"

/** How far from now, either way, the time of a delivery may be, in milliseconds. */
export const tolerance = Duration.toMillis("5 minutes")

/** There are two while a secret is replaced by another. Each one costs a pass over the body. */
const mostSignatures = 5

/** Not sent by Clerk, or too long ago. `check` is for the log; whoever sent it is told nothing. */
class WebhookRejected extends Schema.TaggedError<WebhookRejected>()("WebhookRejected", {
  check: Schema.Literals(["headers", "time", "signature"])
}) {}

const decodeHeaders = Schema.decodeUnknownEffect(
  Schema.Struct({
    id: EventId,
    time: Schema.String.check(Schema.isPattern(/^\d{1,12}$/u)),
    signatures: Schema.String
  })
)

const utf8 = new TextEncoder()

const keyOf = (secret: Redacted.Redacted) =>
  Effect.promise(() => {
    const bytes = Result.getOrThrow(Base64.decode(Redacted.value(secret).slice("whsec_".length)))
    return crypto.subtle.importKey("raw", new Uint8Array(bytes), { name: "HMAC", hash: "SHA-256" }, false, ["verify"])
  })

/**
 * Checks a delivery as Svix signs it: HMAC with SHA-256 over id, time and body (Standard Webhooks, signature scheme). The
 * platform compares in constant time. Answers the event's id; whether it was delivered before is not known here.
 */
export const verify = Effect.fnUntraced(function* (secret: Redacted.Redacted, headers: Headers, body: string) {
  const { id, time, signatures } = yield* decodeHeaders({
    id: headers.get("svix-id"),
    time: headers.get("svix-timestamp"),
    signatures: headers.get("svix-signature")
  }).pipe(Effect.mapError(() => new WebhookRejected({ check: "headers" })))
  const now = yield* Clock.currentTimeMillis
  if (Math.abs(now - Number(time) * 1_000) > tolerance) return yield* new WebhookRejected({ check: "time" })
  const key = yield* keyOf(secret)
  const signed = utf8.encode(`${id}.${time}.${body}`)
  const ours = signatures.split(" ").filter((signature) => signature.startsWith("v1,"))
  for (const signature of ours.slice(0, mostSignatures)) {
    const bytes = Result.getOrUndefined(Base64.decode(signature.slice("v1,".length)))
    if (bytes === undefined) continue
    const isGood = yield* Effect.promise(() => crypto.subtle.verify("HMAC", key, new Uint8Array(bytes), signed))
    if (isGood) return id
  }
  return yield* new WebhookRejected({ check: "signature" })
})
