import type { LifecycleJobContext } from "agents/lifecycle"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import type { AccessEvent } from "../access/AccessEvents.ts"
import { UserStoreLimits } from "../capability/UserStoreWrite.ts"
import { UserId } from "../domain/Principal.ts"
import { CallTimes } from "./CallTimes.ts"
import { DecisionRows } from "./DecisionRows.ts"
import { Records } from "./Records.ts"
import { type Outcome, RetriedJob } from "./RetriedJob.ts"
import { UserEntries } from "./UserEntries.ts"

const erase = "erase"
/** How long to wait where Clerk does not say whether the user is still deleted. */
const again = Duration.hours(1)

const decodePayload = Schema.decodeUnknownSync(Schema.Struct({ userId: UserId }))

/** Everything that is stored for the user: entries, calls, decisions, grants, tokens, and what Clerk said. */
const removeAll = Effect.gen(function* () {
  yield* (yield* UserEntries).removeAll
  yield* (yield* CallTimes).removeAll
  yield* (yield* DecisionRows).removeAll
  yield* (yield* Records).removeAll
})

/** What it removes. */
type Rows = UserEntries | CallTimes | DecisionRows | Records

/** What of an account the erasure looks at. */
type Found = "deleted" | "unknown" | "there"

/**
 * Erases what is stored for a user who was deleted in Clerk: some days after it was found out, if Clerk still says so
 * then. The key of another Clerk instance makes every user look deleted: it has to stay wrong for all those days
 * to erase anything.
 */
export class Erasure extends RetriedJob {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Access | Rows, never>

  constructor(runtime: ManagedRuntime.ManagedRuntime<Access | Rows, never>) {
    super("erasure")
    this.#runtime = runtime
  }

  /** Plans the erasure where the event says that the user was deleted. One that is planned stays as it is. */
  async hear(event: AccessEvent): Promise<void> {
    const { jobs } = this.lifecycle
    if (event._tag !== "AccountClosed" || !event.deleted || jobs.get(erase) !== undefined) return
    const { eraseAfterDays } = await this.#runtime.runPromise(UserStoreLimits)
    const time =
      (await this.#runtime.runPromise(Clock.currentTimeMillis)) + Duration.toMillis(Duration.days(eraseAfterDays))
    await jobs.push({ id: erase, fn: erase, time, payload: { userId: event.userId } })
  }

  async work({ job }: LifecycleJobContext): Promise<Outcome> {
    const { userId } = decodePayload(job.payload)
    const found = await this.#runtime.runPromise(this.#look(userId))
    if (found === "deleted") await this.#runtime.runPromise(removeAll)
    if (found !== "unknown") return undefined
    return { rescheduleAt: (await this.#runtime.runPromise(Clock.currentTimeMillis)) + Duration.toMillis(again) }
  }

  #look(userId: UserId): Effect.Effect<Found, never, Access> {
    return Effect.flatMap(Access, ({ current }) => current(userId)).pipe(
      Effect.match({
        onSuccess: (): Found => "there",
        onFailure: ({ reason }): Found =>
          reason._tag === "AccessUnknown"
            ? "unknown"
            : reason._tag === "AccountClosed" && reason.deleted
              ? "deleted"
              : "there"
      })
    )
  }
}
