import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { KeepAlive } from "../config/KeepAlive.ts"
import { OAuthStorage } from "../oauth/OAuthStorage.ts"
import * as Incident from "../observability/Incident.ts"

const key = "health:webhook"
/** How exactly the time is kept: KV is written to no more often, in milliseconds. */
const exactness = Duration.toMillis("10 minutes")
const kept = Duration.toSeconds("90 days")

/** When Clerk delivered a webhook last, within ten minutes, for the operators. */
export const makeWebhookDeliveries = Effect.gen(function* () {
  const storage = yield* OAuthStorage
  let noted = -Infinity

  /** The time of the last delivery in ISO 8601. Fails where the store does. */
  const last = Effect.map(
    Effect.tryPromise(() => storage.get(key, { type: "text" })),
    (time) => time ?? undefined
  )

  const write = (now: number) =>
    Effect.gen(function* () {
      const before = yield* last
      const time = Option.map(DateTime.make(before ?? ""), DateTime.toEpochMillis)
      if (Option.isSome(time) && now - time.value < exactness) return
      const text = DateTime.formatIso(DateTime.makeUnsafe(now))
      yield* Effect.tryPromise(() => storage.put(key, text, { expirationTtl: kept }))
    }).pipe(Effect.catch((failure) => Incident.note("The time of a webhook could not be kept", failure)))

  /** Notes a delivery. Nobody waits for it, and no delivery fails because of it. */
  const note = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (now - noted < exactness) return
    noted = now
    const keepAlive = yield* KeepAlive
    const context = yield* Effect.context()
    keepAlive(Effect.runPromiseWith(context)(write(now)))
  })

  return { last, note }
})
