import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { lazyTable } from "./LazyTable.ts"

/** A value under a key. Times are in milliseconds since 1970; `null` is for ever. */
export interface StoredRecord {
  readonly key: string
  readonly value: string
  readonly expiresAt: number | null
}

/** A record that is written, or a key that is removed. */
export type Change = StoredRecord | { readonly key: string; readonly value: null }

/** The keys that a sweep removed, and when the next record expires, if one does. */
export interface Swept {
  readonly removed: ReadonlyArray<string>
  readonly next: number | undefined
}

/**
 * The small records of one user: grants, tokens, what Clerk said. Strongly consistent: whoever reads sees the last
 * commit, and a commit takes place as a whole or not at all. What has expired is not found.
 */
export class Records extends Context.Service<
  Records,
  {
    readonly get: (key: string) => Effect.Effect<string | undefined>
    /** The records whose keys begin with `prefix`, sorted by key: the first `limit`, if given. */
    readonly list: (prefix: string, limit?: number) => Effect.Effect<ReadonlyArray<StoredRecord>>
    readonly commit: (changes: ReadonlyArray<Change>) => Effect.Effect<void>
    /** Commits if `holds` for the value under `key` at that moment, and tells whether it did. */
    readonly commitIf: (
      key: string,
      holds: (value: string | undefined) => boolean,
      changes: ReadonlyArray<Change>
    ) => Effect.Effect<boolean>
    /** Removes all records, also those that have expired. */
    readonly removeAll: Effect.Effect<void>
    /** Removes at most `limit` expired records, the oldest first. */
    readonly sweep: (limit: number) => Effect.Effect<Swept>
  }
>()("account/Records") {
  /** As rows of a Durable Object's SQLite. The table is made at the first write: a user who is not known leaves nothing. */
  static readonly layerSql = (storage: Pick<DurableObjectStorage, "sql" | "transactionSync">) =>
    Layer.sync(Records, () => {
      const { sql } = storage
      const table = lazyTable(
        sql,
        "records",
        "CREATE TABLE records (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at INTEGER)",
        "CREATE INDEX records_expire ON records (expires_at) WHERE expires_at IS NOT NULL"
      )

      const apply = ({ key, ...change }: Change) => {
        if (change.value === null) sql.exec("DELETE FROM records WHERE key = ?", key)
        else {
          const { value, expiresAt } = change
          sql.exec("INSERT OR REPLACE INTO records (key, value, expires_at) VALUES (?, ?, ?)", key, value, expiresAt)
        }
      }

      const find = (key: string, now: number): string | undefined => {
        if (!table.exists()) return undefined
        const found = sql.exec(`SELECT ${columns} FROM records WHERE key = ? AND ${isLive}`, key, now)
        return found.toArray().map((row) => decodeRow(row).value)[0]
      }

      const commit = (changes: ReadonlyArray<Change>) => {
        if (changes.some(({ value }) => value !== null)) table.create()
        if (table.exists()) storage.transactionSync(() => changes.forEach(apply))
      }

      return Records.of({
        get: (key) => Effect.map(Clock.currentTimeMillis, (now) => find(key, now)),
        list: (prefix, limit = -1) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            if (!table.exists()) return []
            const range = `key >= ? AND key < ? AND ${isLive} ORDER BY key LIMIT ?`
            const found = sql.exec(`SELECT ${columns} FROM records WHERE ${range}`, prefix, after(prefix), now, limit)
            return found.toArray().map((row) => decodeRow(row))
          }),
        commit: (changes) => Effect.sync(() => commit(changes)),
        commitIf: (key, holds, changes) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const held = holds(find(key, now))
            if (held) commit(changes)
            return held
          }),
        removeAll: Effect.sync(() => {
          if (table.exists()) sql.exec("DELETE FROM records")
        }),
        sweep: (limit) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            if (!table.exists()) return { removed: [], next: undefined }
            const expired = "SELECT key FROM records WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
            const gone = sql.exec(`DELETE FROM records WHERE key IN (${expired}) RETURNING key`, now, limit).toArray()
            const { time } = decodeTime(sql.exec("SELECT min(expires_at) AS time FROM records").one())
            return { removed: gone.map((row) => decodeKey(row).key), next: time ?? undefined }
          })
      })
    })
}

const columns = "key, value, expires_at AS expiresAt"
const isLive = "(expires_at IS NULL OR expires_at > ?)"

const decodeRow = Schema.decodeUnknownSync(
  Schema.Struct({ key: Schema.String, value: Schema.String, expiresAt: Schema.NullOr(Schema.Finite) })
)
const decodeKey = Schema.decodeUnknownSync(Schema.Struct({ key: Schema.String }))
const decodeTime = Schema.decodeUnknownSync(Schema.Struct({ time: Schema.NullOr(Schema.Finite) }))

/** The least text that sorts after everything that begins with `prefix`. Keys are ASCII. */
const after = (prefix: string): string => `${prefix}\u{7f}`
