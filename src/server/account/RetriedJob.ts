import { LifecycleCapability, type LifecycleJobContext } from "agents/lifecycle"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

import * as Incident from "../observability/Incident.ts"
import * as Log from "../observability/Log.ts"

/** When a job is due again, in milliseconds since 1970; nothing once it is done. */
export type Outcome = { readonly rescheduleAt: number } | undefined

/** How long a job that failed waits, in milliseconds: twice as long after each failure. */
const shortestWait = Duration.toMillis("1 minute")
const longestWait = Duration.toMillis("6 hours")

const waitAfter = (failures: number): number => Math.min(shortestWait * 2 ** (failures - 1), longestWait)

const failuresOf = (id: string) => `failures of ${id}`

/**
 * A part of the object whose jobs outlive their failures: the lifecycle tries a job three times within seconds, and then
 * deletes it unless it is told when to run it again.
 */
export abstract class RetriedJob extends LifecycleCapability {
  /** Does what the job is for. Where it throws, it is called again later. */
  protected abstract work(context: LifecycleJobContext): Promise<Outcome>

  async onJob(context: LifecycleJobContext): Promise<Outcome> {
    const outcome = await this.work(context)
    const { kv } = this.lifecycle.storage
    const failures = failuresOf(context.job.id)
    if (kv.get(failures) !== undefined) kv.delete(failures)
    return outcome
  }

  /** The lifecycle deletes the job if this throws: it needs nothing of the application, which may be what fails. */
  onJobError({ job }: LifecycleJobContext, error: unknown): Promise<Outcome> {
    const { kv } = this.lifecycle.storage
    const failures = (kv.get<number>(failuresOf(job.id)) ?? 0) + 1
    kv.put(failuresOf(job.id), failures)
    return Effect.runPromise(
      Effect.gen(function* () {
        yield* Incident.report("A job of an object failed, and is tried again later", Cause.die(error)).pipe(
          Effect.annotateLogs({ job: job.id, failures })
        )
        return { rescheduleAt: (yield* Clock.currentTimeMillis) + waitAfter(failures) }
      }).pipe(Effect.provide(Log.layer))
    )
  }
}
