import type { LifecycleJobContext } from "agents/lifecycle"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"

import type { AccessEvent } from "../access/AccessEvents.ts"
import { ClerkSessionId, type OrganizationId, UserId } from "../domain/Principal.ts"
import * as Incident from "../observability/Incident.ts"
import type { Grant } from "../oauth/UserAuthorities.ts"
import { ClerkFacts, type FactsUnavailable } from "./ClerkFacts.ts"
import { type Outcome, RetriedJob } from "./RetriedJob.ts"
import { SeenEvents } from "./SeenEvents.ts"

const look = "look at Clerk"

/** How long events are gathered for one look: what an operator does in Clerk makes several of them. */
const gathering = Duration.toMillis("200 millis")
/** The time from one look to the next at least, however many events come. */
const pause = Duration.toMillis("1 second")
/** How long a look is tried again while Clerk does not answer. After that what is known grows old by itself. */
const patience = Duration.toMillis("5 minutes")
const shortestWait = Duration.toMillis("5 seconds")
const longestWait = Duration.toMillis("1 minute")
/** Sessions that one look asks about; those beyond them are found ended at their next use. */
const mostSessions = 100

/** What the next look has to find out, and since when. */
const Look = Schema.Struct({
  userId: UserId,
  facts: Schema.Boolean,
  sessions: Schema.Array(ClerkSessionId),
  since: Schema.Finite
})
type Look = typeof Look.Type
const decodeLook = Schema.decodeUnknownSync(Look)

const asked = (event: AccessEvent, since: number): Look | undefined => {
  const { userId } = event
  if (event._tag === "FactsChanged") return { userId, facts: true, sessions: [], since }
  if (event._tag === "ClerkSessionChanged") return { userId, facts: false, sessions: [event.clerkSessionId], since }
  return undefined
}

const both = (before: Look, after: Look): Look => ({
  ...after,
  facts: before.facts || after.facts,
  sessions: [...new Set([...after.sessions, ...before.sessions])].slice(0, mostSessions)
})

/** Ends, of a user's grants, those that were made from something which Clerk says is over. */
const lookAt = Effect.fn("ClerkEvents.look")(function* ({ userId, facts, sessions }: Look) {
  const clerk = yield* ClerkFacts
  const organizations = facts ? yield* clerk.refresh(userId) : undefined
  if (organizations === undefined && sessions.length === 0) return
  const grants = yield* clerk.grants(userId)
  const end = (which: (grant: Grant) => boolean) =>
    Effect.forEach(grants.filter(which), ({ id }) => clerk.end(userId, id), { discard: true })
  if (organizations !== undefined) {
    yield* end(({ organizationId: id }) => id !== undefined && !organizations.has(id))
  }
  for (const session of sessions) {
    const isOfSession = (grant: Grant) => grant.clerkSessionId === session
    // Most sessions of a user are none that a client was connected from: Clerk is not asked about them.
    if (grants.some(isOfSession) && (yield* clerk.hasEnded(session))) yield* end(isOfSession)
  }
})

/** When to look again, after a look at this time that failed; undefined once it was tried for long enough. */
const nextTry = ({ since }: Look, { retryAfterSeconds }: FactsUnavailable, now: number): number | undefined => {
  const wait = Math.min(Math.max(now - since, shortestWait), longestWait)
  const next = now + Math.max(wait, retryAfterSeconds * 1_000)
  return next - since > patience ? undefined : next
}

/**
 * What Clerk's webhooks make a user's object do: look at Clerk, which alone is believed. Events that come late, twice or
 * out of order cost a look, and change nothing by themselves. The look is a job, so that it outlives the object's instance:
 * there is one at a time, and events that come meanwhile are one more after it.
 */
export class ClerkEvents extends RetriedJob {
  readonly #runtime: ManagedRuntime.ManagedRuntime<ClerkFacts, never>
  #seen: SeenEvents | undefined
  #lookedAt = -Infinity

  constructor(runtime: ManagedRuntime.ManagedRuntime<ClerkFacts, never>) {
    super("clerk-events")
    this.#runtime = runtime
  }

  /** Plans a look, where the event asks for one and was not taken on before. */
  async hear(event: AccessEvent): Promise<void> {
    const { storage, jobs } = this.lifecycle
    const now = await this.#runtime.runPromise(Clock.currentTimeMillis)
    const wanted = asked(event, now)
    if (wanted === undefined || !("eventId" in event)) return
    this.#seen ??= new SeenEvents(storage.sql)
    // Nothing is awaited from here to the job: both are stored, or neither.
    if (!this.#seen.add(event.eventId, now)) return
    const planned = jobs.get(look)
    const time = Math.max(now + gathering, this.#lookedAt + pause)
    await jobs.push({
      id: look,
      fn: look,
      // One that is due by now is under way.
      time: planned !== undefined && planned.time > now ? Math.min(planned.time, time) : time,
      payload: planned === undefined ? wanted : both(decodeLook(planned.payload), wanted)
    })
  }

  /** The organizations that the user has grants for. */
  organizations(userId: UserId): Promise<ReadonlyArray<OrganizationId>> {
    return this.#runtime.runPromise(
      Effect.map(
        Effect.flatMap(ClerkFacts, ({ grants }) => grants(userId)),
        (grants) => [...new Set(grants.flatMap(({ organizationId }) => organizationId ?? []))]
      )
    )
  }

  async work({ job }: LifecycleJobContext): Promise<Outcome> {
    const wanted = decodeLook(job.payload)
    this.#lookedAt = await this.#runtime.runPromise(Clock.currentTimeMillis)
    const next = await this.#runtime.runPromise(
      lookAt(wanted).pipe(
        Effect.as(undefined),
        Effect.catchTag("FactsUnavailable", (failure) =>
          Effect.gen(function* () {
            const next = nextTry(wanted, failure, yield* Clock.currentTimeMillis)
            if (next === undefined) yield* Incident.note("A webhook of Clerk had no effect: nobody answered", failure)
            return next
          })
        ),
        Effect.catchDefect((defect) =>
          Effect.as(Incident.report("A webhook of Clerk could not be acted on", Cause.die(defect)), undefined)
        )
      )
    )
    return next === undefined ? undefined : { rescheduleAt: next }
  }
}
