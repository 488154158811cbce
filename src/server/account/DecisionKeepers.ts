import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

import { Lru } from "../access/Lru.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import type { UserId } from "../domain/Principal.ts"
import { type Decision, Decisions } from "../observability/Decisions.ts"
import * as Incident from "../observability/Incident.ts"
import { AccountStubs, backoff } from "./AccountStub.ts"
import { DecisionRows } from "./DecisionRows.ts"

/** Inside the object, where its sessions are served: written at once. */
export const inObject = Decisions.keptBy(
  Effect.map(
    DecisionRows,
    ({ record }) =>
      (decision) =>
        record([decision])
  )
)

/** For how long the decisions on one user's messages are collected, so that they travel in one call. */
const collectedFor = Duration.toMillis("1 second")
/** How many travel in one call at most. */
const mostRows = 100

const what = "Decisions were not stored for their user"

interface Batch {
  readonly since: number
  readonly decisions: Array<Decision>
}

/**
 * In the Worker, where requests without a session are served: decisions are sent to the object of their user after the
 * answer, which never waits for them. What cannot be delivered is logged by its references; each decision has a line in
 * the log anyway.
 */
export const ofAccounts = Decisions.keptBy(
  Effect.gen(function* () {
    const accounts = yield* AccountStubs
    const keepAlive = yield* KeepAlive
    const run = Effect.runPromiseWith(yield* Effect.context())
    const batches = new Lru<UserId, Batch>()

    /** Under its own references, so that who looks one up in vain learns why. */
    const undelivered = (userId: UserId, decisions: ReadonlyArray<Decision>) =>
      Effect.annotateLogs({ userId, references: decisions.map((decision) => decision.reference) })

    const deliver = Effect.fnUntraced(function* (userId: UserId, batch: Batch) {
      yield* Effect.sleep(collectedFor)
      if (batches.get(userId) === batch) batches.delete(userId)
      const account = yield* Effect.sync(() => accounts.forUser(userId))
      // An object takes a decision once, however often it is sent.
      yield* Effect.retry(account.record(batch.decisions), { schedule: backoff, times: 3 })
    })

    return (decision) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const { userId } = decision
        const collecting = batches.get(userId)
        // A request that was killed does not send what it collects.
        const open = collecting !== undefined && now - collecting.since < 2 * collectedFor
        if (open && collecting.decisions.length < mostRows) return void collecting.decisions.push(decision)
        const batch = { since: now, decisions: [decision] }
        batches.set(userId, batch)
        const delivered = deliver(userId, batch).pipe(
          Effect.catch((failure) => Incident.note(what, failure)),
          Effect.catchDefect((defect) => Incident.report(what, Cause.die(defect))),
          undelivered(userId, batch.decisions)
        )
        keepAlive(run(delivered))
      })
  })
)
