import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { outcome, sizeOf, UserStoreLimits, type Write, type Written } from "../capability/UserStoreWrite.ts"
import { lazyTable } from "./LazyTable.ts"

const decodeValue = Schema.decodeUnknownSync(Schema.Struct({ value: Schema.String }))
const decodeTotal = Schema.decodeUnknownSync(Schema.Struct({ total: Schema.Finite }))

/** The entries of one user's store, as rows of the object's SQLite. */
export class UserEntries extends Context.Service<
  UserEntries,
  {
    /** The JSON of an entry, `null` if there is none. */
    readonly read: (name: string) => Effect.Effect<string | null>
    /** Compares and sets in one step: the storage is synchronous, and nothing else runs in the object meanwhile. */
    readonly write: (write: Write) => Effect.Effect<Written>
    readonly removeAll: Effect.Effect<void>
  }
>()("account/UserEntries") {
  static readonly layer = (sql: SqlStorage) =>
    Layer.sync(UserEntries, () => {
      // The size stands before the value, so that summing up reads no long values.
      const table = lazyTable(
        sql,
        "user_entries",
        "CREATE TABLE user_entries (name TEXT PRIMARY KEY, size INTEGER NOT NULL, value TEXT NOT NULL)"
      )

      const read = (name: string): string | null => {
        if (!table.exists()) return null
        const [row] = sql.exec("SELECT value FROM user_entries WHERE name = ?", name).toArray()
        return row === undefined ? null : decodeValue(row).value
      }

      return UserEntries.of({
        read: (name) => Effect.sync(() => read(name)),
        write: (write) =>
          Effect.map(UserStoreLimits, (limits) => {
            const { name, value } = write
            table.create()
            const { total } = decodeTotal(sql.exec("SELECT ifnull(sum(size), 0) AS total FROM user_entries").one())
            const written = outcome(write, read(name), total, limits)
            if (written._tag !== "Done") return written
            if (value === null) sql.exec("DELETE FROM user_entries WHERE name = ?", name)
            else {
              sql.exec(
                "INSERT OR REPLACE INTO user_entries (name, size, value) VALUES (?, ?, ?)",
                name,
                sizeOf(name, value),
                value
              )
            }
            return written
          }),
        removeAll: Effect.sync(() => {
          if (table.exists()) sql.exec("DELETE FROM user_entries")
        })
      })
    })
}
