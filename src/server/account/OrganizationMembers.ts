import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

import { AccessEvent } from "../access/AccessEvents.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { EventId, type OrganizationId, UserId } from "../domain/Principal.ts"
import * as Incident from "../observability/Incident.ts"
import { AccountStubs } from "./AccountStub.ts"
import { type Outcome, RetriedJob } from "./RetriedJob.ts"
import { SeenEvents } from "./SeenEvents.ts"

/** A user who has a grant for an organization. */
export interface OrganizationMember {
  readonly organizationId: OrganizationId
  readonly userId: UserId
}

/** What has changed by an event: one organization, or a role or permission, which all of them share. */
export interface OrganizationsChanged {
  readonly eventId: EventId
  readonly organizationId?: OrganizationId
}

/** How many users are told in one step, and how long the next one waits. */
interface Pace {
  readonly users: number
  readonly every: Duration.Duration
}

/**
 * Each user who is told costs two requests to Clerk or more, of 100 in 10 s for a development instance and 1,000 for one
 * in production. Half of that is left to people who sign in and call meanwhile.
 */
export const Paces = Context.Reference<{ readonly development: Pace; readonly production: Pace }>(
  "account/OrganizationMembers/Paces",
  {
    defaultValue: () => ({
      development: { users: 25, every: Duration.seconds(10) },
      production: { users: 50, every: Duration.seconds(2) }
    })
  }
)

const paceOf = Effect.gen(function* () {
  const { development, production } = yield* Paces
  const { CLERK_SECRET_KEY: key } = yield* AppConfig
  return Redacted.value(key).startsWith("sk_test_") ? development : production
})

const step = "tell members"
/** Users' objects that are called at a time. */
const concurrency = 6
/** How long an object may take to answer, so that one that hangs does not keep the others waiting. */
const longestCall = Duration.seconds(5)
/** How many steps try to reach a user's object before the event is given up for that user. */
const mostTries = 5
/** A member that young may be missing in an answer which was under way, in milliseconds. */
const tooYoung = Duration.toMillis("1 minute")

const decodeToTell = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ userId: UserId, eventId: EventId, tries: Schema.Finite }))
)
type ToTell = ReturnType<typeof decodeToTell>[number]

type Services = AccountStubs | AppConfig

/**
 * The index of the users that have grants for an organization, in one reserved object of the class, and the rounds that
 * tell them of an event: in steps, which are jobs, so that a round goes on where it was when the object is replaced. A user
 * waits to be told at most once, whatever comes meanwhile: a second event restarts the round for those who were told.
 */
export class OrganizationMembers extends RetriedJob {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Services, never>
  #seen: SeenEvents | undefined
  #steppedAt = -Infinity
  /** When the time began in which a number of users may be told, and how many were. */
  #beganAt = -Infinity
  #told = 0

  constructor(runtime: ManagedRuntime.ManagedRuntime<Services, never>) {
    super("organization-members")
    this.#runtime = runtime
  }

  /** Whether there ever was a member. */
  static areIn(sql: SqlStorage): boolean {
    return sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'members'").toArray().length > 0
  }

  /** Notes a member. */
  async join({ organizationId, userId }: OrganizationMember): Promise<void> {
    const now = await this.#runtime.runPromise(Clock.currentTimeMillis)
    this.#tables()
    const row = "INSERT OR REPLACE INTO members (organization_id, user_id, time) VALUES (?, ?, ?)"
    this.lifecycle.storage.sql.exec(row, organizationId, userId, now)
  }

  /** Begins a round, where the event was not taken on before. */
  async changed({ eventId, organizationId }: OrganizationsChanged): Promise<void> {
    const now = await this.#runtime.runPromise(Clock.currentTimeMillis)
    const pace = await this.#runtime.runPromise(paceOf)
    const sql = this.#tables()
    const { jobs } = this.lifecycle
    // Nothing is awaited from here to the job: all of it is stored, or nothing.
    if (this.#seen?.add(eventId, now) !== true) return
    sql.exec(
      `INSERT INTO to_tell (user_id, event_id) SELECT DISTINCT user_id, ?1 FROM members WHERE ?2 IS NULL OR organization_id = ?2
       ON CONFLICT (user_id) DO UPDATE SET event_id = excluded.event_id, tries = 0`,
      eventId,
      organizationId ?? null
    )
    const time = this.#left(pace, now) > 0 ? now : this.#beganAt + Duration.toMillis(pace.every)
    const planned = jobs.get(step)
    // One that is due by now is under way, and may not see who is to be told now.
    if (planned !== undefined && planned.time > now && planned.time <= time) return
    await jobs.push({ id: step, fn: step, time })
  }

  async work(): Promise<Outcome> {
    const pace = await this.#runtime.runPromise(paceOf)
    const now = await this.#runtime.runPromise(Clock.currentTimeMillis)
    const sql = this.#tables()
    const due = sql
      .exec(
        "SELECT user_id AS userId, event_id AS eventId, tries FROM to_tell ORDER BY seq LIMIT ?",
        this.#left(pace, now)
      )
      .toArray()
    this.#steppedAt = now
    this.#told += due.length
    const tell = Effect.forEach(decodeToTell(due), (one) => this.#tell(one), { concurrency, discard: true })
    await this.#runtime.runPromise(tell)
    if (sql.exec("SELECT 1 FROM to_tell LIMIT 1").toArray().length === 0) return undefined
    return { rescheduleAt: this.#beganAt + Duration.toMillis(pace.every) }
  }

  /** How many users may be told now. Those of one small organization do not keep the next event waiting. */
  #left({ users, every }: Pace, now: number): number {
    if (now - this.#beganAt >= Duration.toMillis(every)) {
      this.#beganAt = now
      this.#told = 0
    }
    return users - this.#told
  }

  /** Has the object of one user look at Clerk, and forgets what the user has no grant for any more. */
  #tell({ userId, eventId, tries }: ToTell): Effect.Effect<void, never, AccountStubs> {
    const sql = this.lifecycle.storage.sql
    const asked = this.#steppedAt
    return Effect.gen(function* () {
      const account = (yield* AccountStubs).forUser(userId)
      const answer = yield* account.lookAgain(AccessEvent.cases.FactsChanged.make({ userId, eventId })).pipe(
        Effect.timeout(longestCall),
        Effect.tapError((failure) => Incident.note("A member of an organization was not told of a webhook", failure)),
        Effect.option
      )
      // While this user was told, a newer event may have asked for it once more.
      const own = "user_id = ? AND event_id = ?"
      if (Option.isSome(answer) || tries + 1 >= mostTries) sql.exec(`DELETE FROM to_tell WHERE ${own}`, userId, eventId)
      else sql.exec(`UPDATE to_tell SET tries = tries + 1 WHERE ${own}`, userId, eventId)
      if (Option.isNone(answer)) return
      const old = sql.exec(
        "SELECT organization_id AS id FROM members WHERE user_id = ? AND time < ?",
        userId,
        asked - tooYoung
      )
      for (const { id } of old.toArray()) {
        if (answer.value.some((organizationId) => organizationId === id)) continue
        sql.exec("DELETE FROM members WHERE organization_id = ? AND user_id = ?", id, userId)
      }
    })
  }

  #tables(): SqlStorage {
    const { sql } = this.lifecycle.storage
    if (this.#seen === undefined) {
      sql.exec(`
        CREATE TABLE IF NOT EXISTS members (
          organization_id TEXT NOT NULL, user_id TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (organization_id, user_id)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS members_by_user ON members (user_id);
        CREATE TABLE IF NOT EXISTS to_tell (
          seq INTEGER PRIMARY KEY AUTOINCREMENT, user_id TEXT NOT NULL UNIQUE, event_id TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0
        );
      `)
      this.#seen = new SeenEvents(sql)
    }
    return sql
  }
}
