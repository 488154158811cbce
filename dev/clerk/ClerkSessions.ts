import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Changes } from "./Changes.ts"
import { randomId, SessionId, type UserId } from "./Ids.ts"
import { StandInClock } from "./StandInClock.ts"

export const SessionStatus = Schema.Literals([
  "active",
  "pending",
  "revoked",
  "ended",
  "expired",
  "removed",
  "abandoned",
  "replaced"
])
export type SessionStatus = typeof SessionStatus.Type

/** A Clerk session; times are milliseconds since the epoch. */
export interface ClerkSession {
  readonly id: SessionId
  readonly clientId: string
  readonly userId: UserId
  readonly status: SessionStatus
  readonly organizationId: string | undefined
  readonly createdAt: number
  readonly updatedAt: number
  readonly lastActiveAt: number
  readonly expireAt: number
  readonly abandonAt: number
}

/** The endings of a session that Clerk has an event for. */
const eventOfEnding = { ended: "session.ended", removed: "session.removed", revoked: "session.revoked" } as const

const isKnownEnding = (status: SessionStatus): status is keyof typeof eventOfEnding =>
  Object.hasOwn(eventOfEnding, status)

const day = 24 * 60 * 60 * 1000

/** The sessions of the instance. A session past its time reads as `expired`. */
export class ClerkSessions extends Context.Service<
  ClerkSessions,
  {
    readonly create: (userId: UserId, organizationId?: string) => Effect.Effect<ClerkSession>
    readonly find: (id: string) => Effect.Effect<Option.Option<ClerkSession>>
    /** The organization that its tokens are for from now on, or the personal account. */
    readonly setOrganization: (
      id: string,
      organizationId: string | undefined
    ) => Effect.Effect<Option.Option<ClerkSession>>
    /** The user does not belong to the organization any more: it is no session's active one. */
    readonly leaveOrganization: (organizationId: string, userId: UserId) => Effect.Effect<void>
    /** The browser was there. */
    readonly touch: (id: string) => Effect.Effect<void>
    /** Newest first. */
    readonly list: (filter: {
      readonly userId?: string | undefined
      readonly clientId?: string | undefined
      readonly status?: SessionStatus | undefined
    }) => Effect.Effect<ReadonlyArray<ClerkSession>>
    /** Ends an active session; one that has already ended keeps its status. */
    readonly end: (id: string, status: SessionStatus) => Effect.Effect<Option.Option<ClerkSession>>
    readonly endAllOf: (userId: UserId, status: SessionStatus) => Effect.Effect<void>
    readonly removeAllOf: (userId: UserId) => Effect.Effect<void>
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/ClerkSessions") {
  static readonly layer = Layer.effect(
    ClerkSessions,
    Effect.gen(function* () {
      const clock = yield* StandInClock
      const changes = yield* Changes
      const sessions = new Map<string, ClerkSession>()

      const seenAt = (session: ClerkSession, now: number): ClerkSession =>
        session.status === "active" && session.expireAt <= now ? { ...session, status: "expired" } : session

      const find = Effect.fnUntraced(function* (id: string) {
        const now = yield* clock.nowMillis
        return Option.map(Option.fromUndefinedOr(sessions.get(id)), (session) => seenAt(session, now))
      })

      const list: ClerkSessions["Service"]["list"] = Effect.fnUntraced(function* (filter) {
        const now = yield* clock.nowMillis
        return Array.from(sessions.values(), (session) => seenAt(session, now))
          .filter(
            (session) =>
              (filter.userId === undefined || session.userId === filter.userId) &&
              (filter.clientId === undefined || session.clientId === filter.clientId) &&
              (filter.status === undefined || session.status === filter.status)
          )
          .toReversed()
      })

      const end: ClerkSessions["Service"]["end"] = Effect.fnUntraced(function* (id, status) {
        const found = yield* find(id)
        if (Option.isNone(found) || found.value.status !== "active") return found
        const ended = { ...found.value, status, updatedAt: yield* clock.nowMillis }
        sessions.set(id, ended)
        if (isKnownEnding(status)) yield* changes.publish({ type: eventOfEnding[status], session: ended })
        return Option.some(ended)
      })

      const setOrganization: ClerkSessions["Service"]["setOrganization"] = Effect.fnUntraced(
        function* (id, organizationId) {
          const found = yield* find(id)
          if (Option.isNone(found)) return found
          const changed = { ...found.value, organizationId, updatedAt: yield* clock.nowMillis }
          sessions.set(id, changed)
          return Option.some(changed)
        }
      )

      return ClerkSessions.of({
        create: Effect.fnUntraced(function* (userId, organizationId) {
          const now = yield* clock.nowMillis
          const session: ClerkSession = {
            id: SessionId.make(randomId("sess")),
            clientId: randomId("client"),
            userId,
            status: "active",
            organizationId,
            createdAt: now,
            updatedAt: now,
            lastActiveAt: now,
            expireAt: now + 7 * day,
            abandonAt: now + 30 * day
          }
          sessions.set(session.id, session)
          yield* changes.publish({ type: "session.created", session })
          return session
        }),
        find,
        setOrganization,
        leaveOrganization: Effect.fnUntraced(function* (organizationId, userId) {
          const left = (yield* list({ userId })).filter((session) => session.organizationId === organizationId)
          yield* Effect.forEach(left, ({ id }) => setOrganization(id, undefined), { discard: true })
        }),
        touch: Effect.fnUntraced(function* (id) {
          const session = sessions.get(id)
          if (session !== undefined) sessions.set(id, { ...session, lastActiveAt: yield* clock.nowMillis })
        }),
        list,
        end,
        endAllOf: Effect.fnUntraced(function* (userId, status) {
          const active = yield* list({ userId, status: "active" })
          yield* Effect.forEach(active, (session) => end(session.id, status), { discard: true })
        }),
        removeAllOf: (userId) =>
          Effect.sync(() => {
            for (const session of Array.from(sessions.values())) {
              if (session.userId === userId) sessions.delete(session.id)
            }
          }),
        reset: Effect.sync(() => sessions.clear())
      })
    })
  )
}
