import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { KeepAlive } from "../config/KeepAlive.ts"
import { ClerkSessionId, EventId, GrantId, OrganizationId, UserId } from "../domain/Principal.ts"
import * as Incident from "../observability/Incident.ts"

/** What changes for a user. Plain data: it crosses from the Worker to the user's object. */
export const AccessEvent = Schema.TaggedUnion({
  /** A grant was deleted: none of its tokens is good any more. */
  GrantEnded: { userId: UserId, grantId: GrantId },
  /** The account was banned in Clerk, which can be undone, or deleted: none of its grants counts. */
  AccountClosed: { userId: UserId, deleted: Schema.Boolean },
  /** The user's role or permissions are others than before. */
  AccessChanged: { userId: UserId },
  /** A webhook says that something about the user may be other than before. Only a look at Clerk tells what. */
  FactsChanged: { userId: UserId, eventId: EventId },
  /** A webhook says the same of a Clerk session of the user. */
  ClerkSessionChanged: { userId: UserId, clerkSessionId: ClerkSessionId, eventId: EventId },
  /** A grant for an organization was made. */
  OrganizationGranted: { userId: UserId, organizationId: OrganizationId }
})
export type AccessEvent = typeof AccessEvent.Type

/** What the log says of an event that could not be delivered. Requests are checked all the same; only what is open stays open. */
const undelivered = AccessEvent.match({
  GrantEnded: () => "The sessions of ended grants were not ended",
  AccountClosed: () => "The sessions of ended grants were not ended",
  AccessChanged: () => "A change of what a user may use was not told",
  FactsChanged: () => "A webhook of Clerk was not told",
  ClerkSessionChanged: () => "A webhook of Clerk was not told",
  OrganizationGranted: () => "Who has a grant for an organization was not noted: its webhooks do not reach that user"
})

/**
 * Where everybody who finds out that a user's access has ended or changed says so: a revocation, a refresh, a look at
 * Clerk. Each process has one adapter that hears it: the Worker's tells the user's object, the object's acts at once.
 */
export class AccessEvents extends Context.Service<
  AccessEvents,
  {
    /**
     * Publishes what has already happened. Delivery goes on after the request that it began in, and holds up nobody;
     * an event that cannot be delivered is logged.
     */
    readonly publish: (event: AccessEvent) => Effect.Effect<void>
  }
>()("access/AccessEvents") {
  /** Delivers to one adapter, whose `hear` succeeds once the event has taken effect, and does its own retries. */
  static readonly heardBy = <E extends { readonly _tag: string }, R>(
    adapter: Effect.Effect<(event: AccessEvent) => Effect.Effect<void, E>, never, R>
  ): Layer.Layer<AccessEvents, never, R> =>
    Layer.effect(
      AccessEvents,
      Effect.gen(function* () {
        const hear = yield* adapter
        const keepAlive = yield* KeepAlive
        const run = Effect.runPromiseWith(yield* Effect.context())
        return AccessEvents.of({
          publish: (event) => {
            const delivered = Effect.suspend(() => hear(event)).pipe(
              Effect.catch((failure) => Incident.note(undelivered(event), failure)),
              Effect.catchDefect((defect) => Incident.report(undelivered(event), Cause.die(defect)))
            )
            return Effect.sync(() => keepAlive(run(delivered)))
          }
        })
      })
    )
}
