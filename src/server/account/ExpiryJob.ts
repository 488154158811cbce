import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ManagedRuntime from "effect/ManagedRuntime"

import type { GrantId } from "../domain/Principal.ts"
import { DecisionRows } from "./DecisionRows.ts"
import { grantOf } from "./GrantRecords.ts"
import { Records } from "./Records.ts"
import { type Outcome, RetriedJob } from "./RetriedJob.ts"

/** How soon after a run the next one may be, in milliseconds. */
const pause = 1_000

/** Removes what has expired by an alarm of the object, while there is anything that will. */
abstract class ExpiryJob<R> extends RetriedJob {
  readonly #runtime: ManagedRuntime.ManagedRuntime<R, never>
  readonly #id: string
  /** Where an alarm is known to be set, or is about to be. */
  #planned: Promise<void> | undefined

  /** `id`: ids of jobs are those of the whole object. */
  constructor(name: string, id: string, runtime: ManagedRuntime.ManagedRuntime<R, never>) {
    super(name)
    this.#id = id
    this.#runtime = runtime
  }

  /** Removes what has expired now. Answers when to do so again, if it has to be, in milliseconds since 1970. */
  protected abstract readonly expire: Effect.Effect<number | undefined, never, R>

  /** Sees to it that there is a run at this time or before. What expires earlier has been planned for by itself. */
  protected async planAt(timeOf: (now: number) => number): Promise<void> {
    const planned = (this.#planned ??= this.#push(timeOf))
    try {
      await planned
    } catch (error) {
      if (this.#planned === planned) this.#planned = undefined
      throw error
    }
  }

  async #push(timeOf: (now: number) => number): Promise<void> {
    const { jobs } = this.lifecycle
    const now = await this.#runtime.runPromise(Clock.currentTimeMillis)
    const planned = jobs.get(this.#id)
    // A run that is due by now may be under way, and have looked already.
    const time = planned === undefined ? timeOf(now) : planned.time <= now ? now + pause : undefined
    if (time !== undefined) await jobs.push({ id: this.#id, fn: this.#id, time })
  }

  async work(): Promise<Outcome> {
    this.#planned = undefined
    const next = await this.#runtime.runPromise(this.expire)
    return next === undefined ? undefined : { rescheduleAt: next }
  }
}

/** Deletes the decisions of a user that have become too old. */
export class DecisionExpiry extends ExpiryJob<DecisionRows> {
  constructor(runtime: ManagedRuntime.ManagedRuntime<DecisionRows, never>) {
    super("decisions", "expire", runtime)
  }

  protected readonly expire = Effect.flatMap(DecisionRows, (rows) => rows.expire)

  /** Sees to it that a row is deleted by then. */
  plan(time: number): Promise<void> {
    return this.planAt(() => time)
  }
}

/** How long expired records may lie there, in milliseconds: an object that sleeps is not woken for each token. */
const sweepEvery = Duration.toMillis("1 hour")
/** How many records are removed at once. */
const batch = 500

/** Removes the records of a user that have expired, some at a time, and tells which grants ended with them. */
export class RecordSweep extends ExpiryJob<Records> {
  readonly #lapsed: (grantId: GrantId) => Promise<void>

  /** `lapsed` is told of each grant whose time is over, an hour late at most. */
  constructor(runtime: ManagedRuntime.ManagedRuntime<Records, never>, lapsed: (grantId: GrantId) => Promise<void>) {
    super("records", "sweep of records", runtime)
    this.#lapsed = lapsed
  }

  protected readonly expire = Effect.gen({ self: this }, function* () {
    const { removed, next } = yield* (yield* Records).sweep(batch)
    const lapsed = removed.flatMap((key) => grantOf(key) ?? [])
    // All are told, also where one cannot be.
    yield* Effect.forEach(lapsed, (grantId) => Effect.promise(() => this.#lapsed(grantId)), {
      concurrency: "unbounded",
      discard: true
    })
    const now = yield* Clock.currentTimeMillis
    if (next === undefined) return undefined
    return next <= now ? now + pause : Math.max(next, now + sweepEvery)
  })

  /** Sees to it that what expires is removed. */
  plan(): Promise<void> {
    return this.planAt((now) => now + sweepEvery)
  }
}
