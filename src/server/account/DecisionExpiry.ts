import { LifecycleCapability } from "agents/lifecycle"
import * as Effect from "effect/Effect"
import type * as ManagedRuntime from "effect/ManagedRuntime"

import { DecisionRows } from "./DecisionRows.ts"

const expire = "expire"

/** Deletes the decisions of a user that have become too old, by an alarm of the object. */
export class DecisionExpiry extends LifecycleCapability {
  readonly #runtime: ManagedRuntime.ManagedRuntime<DecisionRows, never>
  /** Whether an alarm is known to be set, which the oldest row needs only. */
  #planned = false

  constructor(runtime: ManagedRuntime.ManagedRuntime<DecisionRows, never>) {
    super("decisions")
    this.#runtime = runtime
  }

  /** Sees to it that old rows are deleted by then. */
  async plan(time: number): Promise<void> {
    if (this.#planned) return
    this.#planned = true
    const { jobs } = this.lifecycle
    if (jobs.get(expire) === undefined) await jobs.push({ id: expire, fn: expire, time })
  }

  async onJob(): Promise<{ readonly rescheduleAt: number } | undefined> {
    const next = await this.#runtime.runPromise(Effect.flatMap(DecisionRows, (rows) => rows.expire))
    this.#planned = next !== undefined
    return next === undefined ? undefined : { rescheduleAt: next }
  }
}
