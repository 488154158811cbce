import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { count, type Counted, type Limit, without } from "../capability/CallLimit.ts"
import { lazyTable } from "./LazyTable.ts"

const Times = Schema.fromJsonString(Schema.Array(Schema.Finite))
const decodeRow = Schema.decodeUnknownSync(Schema.Struct({ times: Times }))
const encodeTimes = Schema.encodeSync(Times)

/** When one user called the tools that have a limit, a row of the object's SQLite for each: an object forgets what it has in memory. */
export class CallTimes extends Context.Service<
  CallTimes,
  {
    /** Counts a call in one step: the storage is synchronous, and nothing else runs in the object meanwhile. */
    readonly take: (tool: string, limit: Limit) => Effect.Effect<Counted>
    /** Takes a call off the count, if it is counted. */
    readonly giveBack: (tool: string, at: number) => Effect.Effect<void>
    readonly removeAll: Effect.Effect<void>
  }
>()("account/CallTimes") {
  static readonly layer = (sql: SqlStorage) =>
    Layer.sync(CallTimes, () => {
      const table = lazyTable(sql, "call_times", "CREATE TABLE call_times (tool TEXT PRIMARY KEY, times TEXT NOT NULL)")

      const read = (tool: string): ReadonlyArray<number> | undefined => {
        if (!table.exists()) return undefined
        const [row] = sql.exec("SELECT times FROM call_times WHERE tool = ?", tool).toArray()
        return row === undefined ? undefined : decodeRow(row).times
      }
      const write = (tool: string, times: ReadonlyArray<number>) => {
        table.create()
        sql.exec("INSERT OR REPLACE INTO call_times (tool, times) VALUES (?, ?)", tool, encodeTimes(times))
      }

      return CallTimes.of({
        take: (tool, limit) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const { counted, times } = count(read(tool) ?? [], now, limit)
            if (counted._tag === "Taken") write(tool, times)
            return counted
          }),
        giveBack: (tool, at) =>
          Effect.sync(() => {
            const times = read(tool)
            if (times !== undefined) write(tool, without(times, at))
          }),
        removeAll: Effect.sync(() => {
          if (table.exists()) sql.exec("DELETE FROM call_times")
        })
      })
    })
}
