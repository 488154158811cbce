import type { RequestId } from "@modelcontextprotocol/server"
import * as Schema from "effect/Schema"

import type { ClientId, GrantId, OrganizationId, Principal } from "../domain/Principal.ts"
import { Initialize, limits, type LogLevel, type SessionId, Session, type Wire } from "./Session.ts"

const decodeSession = Schema.decodeUnknownSync(Session)
const encodeInitialize = Schema.encodeSync(Schema.fromJsonString(Initialize))
/** The two columns that ending a session needs, whatever else its row holds. */
const decodeOpen = Schema.decodeUnknownSync(
  Schema.Struct({ id: Schema.String.pipe(Schema.brand("SessionId")), wire: Schema.String })
)
const decodeEvent = Schema.decodeUnknownSync(Schema.Struct({ seq: Schema.Finite, message: Schema.String }))
const decodeSize = Schema.decodeUnknownSync(Schema.Struct({ size: Schema.Finite }))
const decodeCount = Schema.decodeUnknownSync(Schema.Struct({ count: Schema.Finite }))
const decodeOpened = Schema.decodeUnknownSync(Schema.Struct({ grantId: Schema.String, count: Schema.Finite }))
const decodeTime = Schema.decodeUnknownSync(Schema.Struct({ time: Schema.NullOr(Schema.Finite) }))
const decodeRequest = Schema.decodeUnknownSync(
  Schema.Struct({ id: Schema.fromJsonString(Schema.Union([Schema.String, Schema.Finite])) })
)
const decodeText = Schema.decodeUnknownSync(Schema.Struct({ value: Schema.String }))

const columns = `id, client_id AS clientId, organization_id AS organizationId, grant_id AS grantId, wire, initialize, used_at AS usedAt,
  (SELECT level FROM log_levels WHERE session_id = id) AS logLevel`

/** Matches all clients if the parameter is null. */
const ofClient = "(?1 IS NULL OR client_id = ?1)"

/** The size of an event in bytes. */
const size = "length(CAST(message AS BLOB))"

/** Events are numbered by time, in microseconds since 1970, so that numbers also grow across evictions. */
const seqPerMilli = 1_000

/** Who uses a session. */
type Holder = Pick<Principal, "clientId" | "grantId">

/** Who opens one. */
type Opener = Holder & { readonly organizationId?: OrganizationId | null }

/** Sessions and the events of their streams, as rows of the object's SQLite. Synchronous, as the storage is. */
export class SessionStore {
  readonly #sql: SqlStorage
  #lastSeq = 0
  #eventBytes: number

  constructor(sql: SqlStorage) {
    this.#sql = sql
    sql.exec(`
      CREATE TABLE IF NOT EXISTS sessions (
        id TEXT PRIMARY KEY, grant_id TEXT NOT NULL, wire TEXT NOT NULL, initialize TEXT, used_at INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS log_levels (session_id TEXT PRIMARY KEY, level TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS events (
        session_id TEXT NOT NULL, seq INTEGER NOT NULL, stream TEXT NOT NULL, message TEXT NOT NULL,
        PRIMARY KEY (session_id, seq)
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS requests (
        session_id TEXT NOT NULL, id TEXT NOT NULL, stream TEXT NOT NULL, PRIMARY KEY (session_id, id)
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    `)
    // Objects made before sessions stored their client have no such column.
    const [known] = sql.exec("SELECT 1 FROM pragma_table_info('sessions') WHERE name = 'client_id'").toArray()
    if (known === undefined) sql.exec("ALTER TABLE sessions ADD COLUMN client_id TEXT")
    // Nor one of their organization, which they had none of.
    const [bound] = sql.exec("SELECT 1 FROM pragma_table_info('sessions') WHERE name = 'organization_id'").toArray()
    if (bound === undefined) sql.exec("ALTER TABLE sessions ADD COLUMN organization_id TEXT")
    this.#eventBytes = decodeSize(sql.exec(`SELECT ifnull(sum(${size}), 0) AS size FROM events`).one()).size
  }

  /** How many sessions of each grant are open. */
  static openOf(sql: SqlStorage): ReadonlyMap<string, number> {
    if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").toArray().length === 0) return new Map()
    const rows = sql.exec("SELECT grant_id AS grantId, count(*) AS count FROM sessions GROUP BY grant_id").toArray()
    return new Map(rows.map((row) => decodeOpened(row)).map(({ grantId, count }) => [grantId, count]))
  }

  /** How many sessions there are, of one client or of all. */
  count(clientId: ClientId | null = null): number {
    const counted = this.#sql.exec(`SELECT count(*) AS count FROM sessions WHERE ${ofClient}`, clientId)
    return decodeCount(counted.one()).count
  }

  find(id: string): Session | undefined {
    const [row] = this.#sql.exec(`SELECT ${columns} FROM sessions WHERE id = ?`, id).toArray()
    return row && decodeSession(row)
  }

  /** How the client of a session speaks, whatever else its row holds. */
  wireOf(id: SessionId): string | undefined {
    return this.#open("id = ?", id)[0]?.wire
  }

  insert(id: SessionId, { clientId, grantId, organizationId = null }: Opener, wire: Wire, now: number): void {
    this.#sql.exec(
      "INSERT INTO sessions (id, client_id, organization_id, grant_id, wire, used_at) VALUES (?, ?, ?, ?, ?, ?)",
      id,
      clientId,
      organizationId,
      grantId,
      wire,
      now
    )
  }

  /** Stores who used a session, and when. */
  use(id: SessionId, { clientId, grantId }: Holder, now: number): void {
    const row = "client_id = ?, grant_id = ?, used_at = ?"
    this.#sql.exec(`UPDATE sessions SET ${row} WHERE id = ?`, clientId, grantId, now, id)
  }

  initialize(id: SessionId, initialize: Initialize): void {
    this.#sql.exec("UPDATE sessions SET initialize = ? WHERE id = ?", encodeInitialize(initialize), id)
  }

  setLogLevel(id: SessionId, level: LogLevel): void {
    this.#sql.exec("INSERT OR REPLACE INTO log_levels (session_id, level) VALUES (?, ?)", id, level)
  }

  touch(id: SessionId, now: number): void {
    this.#sql.exec("UPDATE sessions SET used_at = ? WHERE id = ?", now, id)
  }

  delete(id: SessionId): void {
    this.#sql.exec("DELETE FROM sessions WHERE id = ?", id)
    this.#sql.exec("DELETE FROM log_levels WHERE session_id = ?", id)
    this.#sql.exec("DELETE FROM requests WHERE session_id = ?", id)
    this.#deleteEvents("session_id = ?", id)
  }

  get all() {
    return this.#open("true")
  }

  ofGrant(grantId: GrantId) {
    return this.#open("grant_id = ?", grantId)
  }

  unusedSince(time: number) {
    return this.#open("used_at <= ?", time)
  }

  /** The sessions of one client or of all, least recently used first. */
  leastUsedFirst(clientId: ClientId | null) {
    return this.#open(`${ofClient} ORDER BY used_at`, clientId)
  }

  /** When the least recently used session was used. */
  get leastUsed(): number | undefined {
    return decodeTime(this.#sql.exec("SELECT min(used_at) AS time FROM sessions").one()).time ?? undefined
  }

  /** The number of the next event; an event of that number need not be stored. */
  nextSeq(now: number): number {
    this.#lastSeq = Math.max(this.#lastSeq + 1, now * seqPerMilli)
    return this.#lastSeq
  }

  /** Stores an event, and deletes the oldest ones beyond the limits of the session and of the user. */
  append(id: SessionId, stream: string, seq: number, message: string): void {
    const added = this.#sql.exec(
      `INSERT INTO events (session_id, seq, stream, message) VALUES (?, ?, ?, ?) RETURNING ${size} AS size`,
      id,
      seq,
      stream,
      message
    )
    this.#eventBytes += decodeSize(added.one()).size
    this.#deleteEvents(
      "session_id = ?1 AND seq <= (SELECT seq FROM events WHERE session_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
      id,
      limits.events
    )
    if (this.#eventBytes <= limits.eventBytes) return
    // Deletes more than necessary, so that this does not run at every event.
    this.#deleteEvents(
      `seq <= (SELECT max(seq) FROM (SELECT seq, sum(${size}) OVER (ORDER BY seq DESC) AS kept FROM events) WHERE kept > ?)`,
      limits.eventBytes * 0.75
    )
  }

  eventsAfter(id: SessionId, stream: string, seq: number) {
    return this.#sql
      .exec(
        "SELECT seq, message FROM events WHERE session_id = ? AND seq > ? AND stream = ? ORDER BY seq",
        id,
        seq,
        stream
      )
      .toArray()
      .map((row) => decodeEvent(row))
  }

  /** Stores that a stream has to answer this request, until `closeRequest`. */
  openRequest(session: SessionId, request: RequestId, stream: string): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO requests (session_id, id, stream) VALUES (?, ?, ?)",
      session,
      JSON.stringify(request),
      stream
    )
  }

  closeRequest(session: SessionId, request: RequestId): void {
    this.#sql.exec("DELETE FROM requests WHERE session_id = ? AND id = ?", session, JSON.stringify(request))
  }

  openRequests(session: SessionId, stream: string): ReadonlyArray<RequestId> {
    const found = this.#sql.exec("SELECT id FROM requests WHERE session_id = ? AND stream = ?", session, stream)
    return found.toArray().map((row) => decodeRequest(row).id)
  }

  /** Deletes the open requests of sessions that no longer exist. */
  deleteLostRequests(): void {
    this.#sql.exec("DELETE FROM requests WHERE session_id NOT IN (SELECT id FROM sessions)")
  }

  deleteEventsUntil(time: number): void {
    this.#deleteEvents("seq <= ?", time * seqPerMilli)
  }

  /** When the oldest event was stored, in milliseconds since 1970. */
  get oldestEvent(): number | undefined {
    const { time } = decodeTime(this.#sql.exec("SELECT min(seq) AS time FROM events").one())
    return time === null ? undefined : Math.floor(time / seqPerMilli)
  }

  /** The number of the latest list-changed event, one for all sessions. */
  get listsChangedAt(): number | undefined {
    const seq = this.#fact("listsChangedAt")
    return seq === undefined ? undefined : Number(seq)
  }
  set listsChangedAt(seq: number) {
    this.#setFact("listsChangedAt", String(seq))
  }

  #open(where: string, ...values: ReadonlyArray<SqlStorageValue>) {
    const found = this.#sql.exec(`SELECT id, wire FROM sessions WHERE ${where}`, ...values)
    return found.toArray().map((row) => decodeOpen(row))
  }

  #deleteEvents(where: string, ...values: ReadonlyArray<SqlStorageValue>): void {
    const deleted = this.#sql.exec(`DELETE FROM events WHERE ${where} RETURNING ${size} AS size`, ...values)
    for (const row of deleted.toArray()) this.#eventBytes -= decodeSize(row).size
  }

  #fact(name: string): string | undefined {
    const [row] = this.#sql.exec("SELECT value FROM facts WHERE name = ?", name).toArray()
    return row && decodeText(row).value
  }

  #setFact(name: string, value: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", name, value)
  }
}
