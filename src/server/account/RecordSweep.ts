import { LifecycleCapability } from "agents/lifecycle"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ManagedRuntime from "effect/ManagedRuntime"

import { Records } from "./Records.ts"

/** Ids of jobs are those of the whole object. */
const sweep = "sweep of records"
/** How long what has expired may lie there, in milliseconds: an object that sleeps is not woken for each token. */
const every = Duration.toMillis("1 hour")
/** How many records are removed at once, and how long the next ones wait, in milliseconds. */
const batch = 500
const pause = 1_000

/** Removes the records of a user that have expired, some at a time, while there are any that will. */
export class RecordSweep extends LifecycleCapability {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Records, never>

  constructor(runtime: ManagedRuntime.ManagedRuntime<Records, never>) {
    super("records")
    this.#runtime = runtime
  }

  /** Plans the next sweep, unless one is planned. */
  async plan(): Promise<void> {
    const { jobs } = this.lifecycle
    if (jobs.get(sweep) !== undefined) return
    const now = await this.#runtime.runPromise(Clock.currentTimeMillis)
    await jobs.push({ id: sweep, fn: sweep, time: now + every })
  }

  async onJob(): Promise<{ readonly rescheduleAt: number } | undefined> {
    const now = await this.#runtime.runPromise(Clock.currentTimeMillis)
    const { next } = await this.#runtime.runPromise(Effect.flatMap(Records, (records) => records.sweep(batch)))
    if (next === undefined) return undefined
    return { rescheduleAt: next <= now ? now + pause : Math.max(next, now + every) }
  }
}
