import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import type { Decision } from "../observability/Decisions.ts"
import { isOperatorAction, Recorded } from "../observability/OperatorActions.ts"
import { lazyTable } from "./LazyTable.ts"

/** How much is kept of one user's decisions and of what operators did: the newest rows, none older than the age in milliseconds. */
export const limits = { rows: 500, age: Duration.toMillis(Duration.days(30)) } as const

/** Which decisions to find: those of this reference, or all, the newest first. */
export interface DecisionQuery {
  readonly limit: number
  readonly reference?: string
}

const Row = Schema.Struct({ decision: Schema.fromJsonString(Recorded) })
const decodeRow = Schema.decodeUnknownSync(Row)
const encodeRecorded = Schema.encodeSync(Schema.fromJsonString(Recorded))

/** SQL: whether a row is a decision, and no action of an operator. */
const isDecision = "json_extract(decision, '$.did') IS NULL"

const decisionsOf = (rows: ReadonlyArray<Recorded>): ReadonlyArray<Decision> =>
  rows.flatMap((row) => (isOperatorAction(row) ? [] : [row]))
const decodeOldest = Schema.decodeUnknownSync(Schema.Struct({ time: Schema.NullOr(Schema.Finite) }))

/** The decisions on one user's messages, and what operators did about the user. */
export class DecisionRows extends Context.Service<
  DecisionRows,
  {
    /** Adds rows. One whose reference is there already was delivered before, and counts once. */
    readonly record: (rows: ReadonlyArray<Recorded>) => Effect.Effect<void>
    /** The decisions that are not too old, the newest first. */
    readonly find: (query: DecisionQuery) => Effect.Effect<ReadonlyArray<Decision>>
    /** Everything that is not too old, the newest first. */
    readonly newest: (limit: number) => Effect.Effect<ReadonlyArray<Recorded>>
    /** Deletes what is too old. Answers when the next row will be, if there is one, in milliseconds since 1970. */
    readonly expire: Effect.Effect<number | undefined>
    readonly removeAll: Effect.Effect<void>
  }
>()("account/DecisionRows") {
  /** As rows of the object's SQLite. `expireAt` is told when a new row will be too old. */
  static readonly layer = (sql: SqlStorage, expireAt: (time: number) => void) =>
    Layer.sync(DecisionRows, () => {
      const table = lazyTable(
        sql,
        "decisions",
        "CREATE TABLE decisions (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, reference TEXT NOT NULL UNIQUE, decision TEXT NOT NULL)"
      )
      const newestFirst = (where: string, ...values: ReadonlyArray<SqlStorageValue>) =>
        sql
          .exec(`SELECT decision FROM decisions WHERE ${where} ORDER BY time DESC, id DESC LIMIT ?`, ...values)
          .toArray()
          .map((row) => decodeRow(row).decision)
      return DecisionRows.of({
        record: (rows) =>
          Effect.sync(() => {
            table.create()
            for (const row of rows) {
              const { time, reference } = row
              sql.exec(
                "INSERT OR IGNORE INTO decisions (time, reference, decision) VALUES (?, ?, ?)",
                time,
                reference,
                encodeRecorded(row)
              )
              expireAt(time + limits.age)
            }
            // An id is larger than that of every row before it. Where `expire` left a gap, fewer rows than the limit stay.
            sql.exec("DELETE FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - ?", limits.rows)
          }),
        find: ({ limit, reference }) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            if (!table.exists()) return []
            const since = now - limits.age
            const rows =
              reference === undefined
                ? newestFirst(`time > ? AND ${isDecision}`, since, limit)
                : newestFirst(`reference = ? AND time > ? AND ${isDecision}`, reference, since, limit)
            return decisionsOf(rows)
          }),
        newest: (limit) =>
          Effect.map(Clock.currentTimeMillis, (now) =>
            table.exists() ? newestFirst("time > ?", now - limits.age, limit) : []
          ),
        expire: Effect.map(Clock.currentTimeMillis, (now) => {
          if (!table.exists()) return undefined
          sql.exec("DELETE FROM decisions WHERE time <= ?", now - limits.age)
          const { time } = decodeOldest(sql.exec("SELECT min(time) AS time FROM decisions").one())
          return time === null ? undefined : time + limits.age
        }),
        removeAll: Effect.sync(() => {
          if (table.exists()) sql.exec("DELETE FROM decisions")
        })
      })
    })
}
