import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { type ClerkSaid, Snapshots } from "../access/Snapshots.ts"
import { DecisionRows, limits } from "../account/DecisionRows.ts"
import { type Change, Records, type StoredRecord } from "../account/Records.ts"
import type { UserId } from "../domain/Principal.ts"
import { isOperatorAction, type Recorded } from "../observability/OperatorActions.ts"

/** The records of one user, in memory. */
export const memoryRecords = Layer.sync(Records, () => {
  let records: ReadonlyMap<string, StoredRecord> = new Map()
  const isExpired = ({ expiresAt }: StoredRecord, now: number) => expiresAt !== null && expiresAt <= now
  const live = Effect.map(Clock.currentTimeMillis, (now) =>
    [...records.values()].filter((record) => !isExpired(record, now))
  )
  const commit = (changes: ReadonlyArray<Change>) => {
    const changed = new Map(records)
    for (const change of changes) {
      if (change.value === null) changed.delete(change.key)
      else changed.set(change.key, change)
    }
    records = changed
  }
  return Records.of({
    get: (key) => Effect.map(live, (found) => found.find((record) => record.key === key)?.value),
    list: (prefix, limit) =>
      Effect.map(live, (found) =>
        found
          .filter(({ key }) => key.startsWith(prefix))
          .toSorted((a, b) => (a.key < b.key ? -1 : 1))
          .slice(0, limit)
      ),
    commit: (changes) => Effect.sync(() => commit(changes)),
    commitIf: (key, holds, changes) =>
      Effect.map(live, (found) => {
        const held = holds(found.find((record) => record.key === key)?.value)
        if (held) commit(changes)
        return held
      }),
    removeAll: Effect.sync(() => void (records = new Map())),
    sweep: (limit) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const expired = [...records.values()]
          .filter((record) => isExpired(record, now))
          .toSorted((a, b) => (a.expiresAt ?? Infinity) - (b.expiresAt ?? Infinity))
        const gone = new Set(expired.slice(0, limit))
        records = new Map([...records].filter(([, record]) => !gone.has(record)))
        const times = [...records.values()].flatMap(({ expiresAt }) => expiresAt ?? [])
        return {
          removed: [...gone].map(({ key }) => key),
          next: times.length === 0 ? undefined : Math.min(...times)
        }
      })
  })
})

/** The decisions on one user's messages, in memory. */
export const memoryDecisions = (): DecisionRows["Service"] => {
  let rows: ReadonlyArray<Recorded> = []
  const newestFirst = Effect.map(Clock.currentTimeMillis, (now) =>
    rows
      .filter(({ time }) => time > now - limits.age)
      .toReversed()
      .toSorted((one, other) => other.time - one.time)
  )
  return DecisionRows.of({
    record: (added) =>
      Effect.sync(() => {
        const known = new Set(rows.map(({ reference }) => reference))
        rows = [...rows, ...added.filter(({ reference }) => !known.has(reference))].slice(-limits.rows)
      }),
    find: ({ limit, reference }) =>
      Effect.map(newestFirst, (found) =>
        found
          .flatMap((row) => (isOperatorAction(row) ? [] : [row]))
          .filter((row) => reference === undefined || row.reference === reference)
          .slice(0, limit)
      ),
    newest: (limit) => Effect.map(newestFirst, (found) => found.slice(0, limit)),
    expire: Effect.map(Clock.currentTimeMillis, (now) => {
      rows = rows.filter(({ time }) => time > now - limits.age)
      return rows.length === 0 ? undefined : Math.min(...rows.map(({ time }) => time)) + limits.age
    }),
    removeAll: Effect.sync(() => {
      rows = []
    })
  })
}

/** What Clerk said of the users, in memory. */
export const memorySnapshots = Layer.sync(Snapshots, () => {
  const known = new Map<UserId, ClerkSaid>()
  return Snapshots.of({
    get: (userId) => Effect.sync(() => known.get(userId)),
    set: (userId, said) => Effect.sync(() => void known.set(userId, said))
  })
})
