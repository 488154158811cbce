import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Decision } from "../observability/Decisions.ts"
import { lazyTable } from "./LazyTable.ts"

/** How much is kept of one user's decisions: the newest rows, none older than the age in milliseconds. */
export const limits = { rows: 500, age: Duration.toMillis(Duration.days(30)) } as const

/** Which decisions to find: those of this reference, or all, the newest first. */
export interface DecisionQuery {
  readonly limit: number
  readonly reference?: string
}

const Row = Schema.Struct({ decision: Schema.fromJsonString(Decision) })
const decodeRow = Schema.decodeUnknownSync(Row)
const encodeDecision = Schema.encodeSync(Schema.fromJsonString(Decision))
const decodeOldest = Schema.decodeUnknownSync(Schema.Struct({ time: Schema.NullOr(Schema.Finite) }))

/** The decisions on one user's messages. */
export class DecisionRows extends Context.Service<
  DecisionRows,
  {
    /** Adds decisions. One whose reference is there already was delivered before, and counts once. */
    readonly record: (decisions: ReadonlyArray<Decision>) => Effect.Effect<void>
    /** Those that are not too old, the newest first. */
    readonly find: (query: DecisionQuery) => Effect.Effect<ReadonlyArray<Decision>>
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
      return DecisionRows.of({
        record: (decisions) =>
          Effect.sync(() => {
            table.create()
            for (const decision of decisions) {
              const { time, reference } = decision
              sql.exec(
                "INSERT OR IGNORE INTO decisions (time, reference, decision) VALUES (?, ?, ?)",
                time,
                reference,
                encodeDecision(decision)
              )
              expireAt(time + limits.age)
            }
            // Rows go oldest first only, so that ids have no gaps but at the beginning.
            sql.exec("DELETE FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - ?", limits.rows)
          }),
        find: ({ limit, reference }) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            if (!table.exists()) return []
            const since = now - limits.age
            const rows =
              reference === undefined
                ? sql.exec(
                    "SELECT decision FROM decisions WHERE time > ? ORDER BY time DESC, id DESC LIMIT ?",
                    since,
                    limit
                  )
                : sql.exec(
                    "SELECT decision FROM decisions WHERE reference = ? AND time > ? LIMIT ?",
                    reference,
                    since,
                    limit
                  )
            return rows.toArray().map((row) => decodeRow(row).decision)
          }),
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

  /** In memory, for tests. */
  static readonly inMemory = (): DecisionRows["Service"] => {
    let rows: ReadonlyArray<Decision> = []
    return DecisionRows.of({
      record: (decisions) =>
        Effect.sync(() => {
          const known = new Set(rows.map(({ reference }) => reference))
          rows = [...rows, ...decisions.filter(({ reference }) => !known.has(reference))].slice(-limits.rows)
        }),
      find: ({ limit, reference }) =>
        Effect.map(Clock.currentTimeMillis, (now) =>
          rows
            .filter((row) => row.time > now - limits.age && (reference === undefined || row.reference === reference))
            .toReversed()
            .toSorted((one, other) => other.time - one.time)
            .slice(0, limit)
        ),
      expire: Effect.map(Clock.currentTimeMillis, (now) => {
        rows = rows.filter(({ time }) => time > now - limits.age)
        return rows.length === 0 ? undefined : Math.min(...rows.map(({ time }) => time)) + limits.age
      }),
      removeAll: Effect.sync(() => {
        rows = []
      })
    })
  }
}
