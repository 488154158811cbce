import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

import type { AccessEvent } from "../access/AccessEvents.ts"
import type { GrantId } from "../domain/Principal.ts"
import { closing, limits, type SessionId } from "./Session.ts"
import type { SessionServers } from "./SessionServers.ts"
import type { SessionStore } from "./SessionStore.ts"
import type { SessionStreams } from "./SessionStreams.ts"

interface Sessions {
  readonly store: SessionStore
  readonly streams: SessionStreams
  readonly servers: SessionServers
  /** Ends a session at once, whatever it is doing. */
  readonly remove: (id: SessionId, reason: string) => Effect.Effect<void>
}

/** What events end in the object of a user: sessions, streams, requests. */
export const makeEndedGrants = ({ store, streams, servers: { live }, remove }: Sessions) => {
  /** Waits until no request of a session is being answered, or until they have had their time. */
  const answered = (id: SessionId) =>
    Effect.sync(() => live.unansweredOf(id)).pipe(
      Effect.repeat({ until: (unanswered) => unanswered === 0, schedule: Schedule.spaced("50 millis") }),
      Effect.timeoutOption(limits.lastAnswers)
    )

  /** Ends a session. What it asked before is answered first, on `/sse` over its socket. */
  const end = Effect.fnUntraced(function* ({ id, wire }: SessionStore["all"][number], reason: string) {
    store.delete(id)
    if (wire !== "sse") streams.close(id, closing.ended, reason)
    yield* Effect.forkDetach(Effect.andThen(answered(id), remove(id, reason)), { startImmediately: true })
  })

  /** Ends the stream that an ended grant reads of a session that goes on under another one. */
  const endReading = Effect.fnUntraced(function* (id: SessionId) {
    // On `/sse` there is no session without its stream.
    if (store.wireOf(id) === "sse") yield* remove(id, "revoked")
    else streams.close(id, closing.ended, "revoked")
  })

  /**
   * Ends what was asked under a grant, also in sessions that go on under another one: at once what waits for an answer
   * of the client, which nobody of that grant can give any more, and the rest once it had its time.
   */
  const endRequests = Effect.fnUntraced(function* (ended: GrantId) {
    const reason = "The connection was ended"
    for (const { transport } of live.made) transport.end(reason, ({ grantId, waits }) => waits && grantId === ended)
    yield* Effect.sleep(limits.lastAnswers)
    for (const { transport } of live.made) transport.end(reason, ({ grantId }) => grantId === ended)
  })

  const endGrant = Effect.fnUntraced(function* (grantId: GrantId) {
    streams.closeFollowers(grantId)
    const own = store.ofGrant(grantId)
    const read = streams.openedUnder(grantId).filter((id) => !own.some((session) => session.id === id))
    yield* Effect.forEach(own, (session) => end(session, "revoked"), { discard: true })
    yield* Effect.forEach(read, endReading, { discard: true })
    yield* Effect.forkDetach(endRequests(grantId), { startImmediately: true })
  })

  const endAll = Effect.fnUntraced(function* () {
    streams.closeFollowers()
    yield* Effect.forEach(store.all, (session) => end(session, "account closed"), { discard: true })
  })

  return {
    /** Acts on an event. */
    hear: Effect.fn("Sessions.hear")(function* (event: AccessEvent) {
      switch (event._tag) {
        case "GrantEnded":
          return yield* endGrant(event.grantId)
        case "AccountClosed":
          return yield* endAll()
        case "AccessChanged":
          return streams.tellListsChanged()
        case "FactsChanged":
        case "ClerkSessionChanged":
        case "OrganizationGranted":
          return undefined
      }
    })
  }
}
