import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { ClerkSaid, Snapshots } from "../access/Snapshots.ts"
import { Records } from "./Records.ts"

const key = "clerk"
const Said = Schema.fromJsonString(ClerkSaid)
const decodeSaid = Schema.decodeUnknownOption(Said)
const encodeSaid = Schema.encodeSync(Said)

/** How long what Clerk said is compared with what it says next, in milliseconds. It counts for much shorter. */
const compared = Duration.toMillis("1 day")

/** The largest record that is kept, in characters. A row of a Durable Object holds 2 MB. */
const longest = 1_000_000

/**
 * What Clerk said about the object's own user: in memory and, for a user who has a grant, among the records, where a new
 * instance finds it.
 */
export const layer = Layer.effect(
  Snapshots,
  Effect.map(Records, (records) => {
    let known: ClerkSaid | undefined
    return Snapshots.of({
      get: () =>
        known === undefined
          ? Effect.map(records.get(key), (stored) => (known = Option.getOrUndefined(decodeSaid(stored))))
          : Effect.succeed(known),
      set: Effect.fnUntraced(function* (_, said) {
        known = said
        const value = encodeSaid(said)
        const isKept = (yield* records.list("grant:", 1)).length > 0 || (yield* records.get(key)) !== undefined
        if (!isKept) return
        yield* records.commit([
          value.length > longest ? { key, value: null } : { key, value, expiresAt: said.takenAt + compared }
        ])
      })
    })
  })
)
