import type { EventId } from "../domain/Principal.ts"
import { tolerance } from "../clerk/Webhooks.ts"

/** From the earliest time at which a delivery passes the check of its time to the latest, in milliseconds. */
const rememberedFor = 2 * tolerance

/** The ids of the events that an object has taken on, as rows of its SQLite: one that is replayed does nothing. */
export class SeenEvents {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
    sql.exec("CREATE TABLE IF NOT EXISTS seen_events (id TEXT PRIMARY KEY, time INTEGER NOT NULL) WITHOUT ROWID")
  }

  /** Whether the event is new here; from now on it is not. */
  add(id: EventId, now: number): boolean {
    this.#sql.exec("DELETE FROM seen_events WHERE time < ?", now - rememberedFor)
    const added = this.#sql.exec("INSERT OR IGNORE INTO seen_events (id, time) VALUES (?, ?) RETURNING id", id, now)
    return added.toArray().length > 0
  }
}
