import { LATEST_PROTOCOL_VERSION, specTypeSchemas, SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/server"
import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import type { ClientId, Principal } from "../domain/Principal.ts"
import { faultOf } from "../mcp/InvalidParams.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import { Authority } from "./Authority.ts"
import { makeEndedGrants } from "./EndedGrants.ts"
import * as Session from "./Session.ts"
import {
  EventUnknown,
  GrantEnded,
  InitializeRejected,
  NothingLeft,
  SessionFailure,
  SessionNotFound,
  TooManyFollowers,
  TooManySessions
} from "./SessionFailure.ts"
import { makeSessionServers, type Message, type Surroundings } from "./SessionServers.ts"
import type { SessionStore } from "./SessionStore.ts"
import { isOfRequest } from "./SessionStreams.ts"

const { limits } = Session
const touchEvery = Duration.toMillis("1 minute")
const defaultIdleHours = 24

const isInitialize = Schema.is(Schema.Struct({ method: Schema.Literal("initialize") }))
const isSetLevel = Schema.is(Session.SetLevel)
const decodeInitialize = Schema.decodeUnknownEffect(Schema.Struct({ params: Session.Initialize }))

/**
 * Whether the session belongs to the client of this principal, for the organization of its grant: what was answered to one
 * organization is on its streams. Rows from before sessions stored a client belong to the
 * grant that opened them.
 */
const holds = (principal: Principal, { clientId, grantId, organizationId }: Session.Session): boolean =>
  organizationId === (principal.organizationId ?? null) &&
  (clientId === null ? grantId === principal.grantId : clientId === principal.clientId)

const fail = (reason: SessionFailure["reason"]) => new SessionFailure({ reason })

export type { Message }

/** What the object of a user lends to its sessions. */
export interface Host extends Surroundings {
  readonly store: SessionStore
}

/**
 * The sessions of one user. A session belongs to the client that opened it and to the organization that it was opened for,
 * whichever grant of the user, client and organization is used; for any other client it does not exist. It ends with the grant that it was used under last.
 */
export const makeSessions = Effect.fnUntraced(function* ({ store, streams, sweepAt }: Host) {
  const authority = yield* Authority
  const random = yield* SecureRandom.SecureRandom
  const { SESSION_IDLE_HOURS: idleHours = defaultIdleHours } = yield* AppConfig
  const idle = Duration.toMillis(Duration.hours(idleHours))
  const servers = yield* makeSessionServers({ streams, sweepAt })
  /** When sessions were last used, where the stored time is up to a minute older. */
  const used = new Map<Session.SessionId, number>()

  /** Finds the session of a client and notes the grant of this request as its last one, unless `again` is set. */
  const find = Effect.fnUntraced(function* (
    principal: Principal,
    id: string | undefined,
    wire: Session.Wire,
    again = false
  ) {
    const session = id === undefined ? undefined : store.find(id)
    const now = yield* Clock.currentTimeMillis
    if (session === undefined || session.wire !== wire || session.usedAt + idle <= now || !holds(principal, session)) {
      return yield* fail(new SessionNotFound())
    }
    const { clientId } = principal
    const { grantId } = again ? session : principal
    if (session.grantId !== grantId || session.clientId === null || now - session.usedAt >= touchEvery) {
      store.use(session.id, { clientId, grantId }, now)
      used.delete(session.id)
    } else used.set(session.id, now)
    return { ...session, clientId, grantId }
  })

  const remove = Effect.fnUntraced(function* (id: Session.SessionId, reason: string) {
    store.delete(id)
    used.delete(id)
    streams.close(id, Session.closing.ended, reason)
    yield* servers.drop(id)
  })

  /** Makes room for one more session within a limit, of one client or of all: the longest idle ones are ended. */
  const makeRoom = Effect.fnUntraced(function* (limit: number, clientId: ClientId | null) {
    const excess = store.count(clientId) + 1 - limit
    if (excess <= 0) return
    for (const [id, now] of used) store.touch(id, now)
    used.clear()
    const idle = store.leastUsedFirst(clientId).filter(({ id }) => !servers.isAtWork(id))
    if (idle.length < excess) return yield* fail(new TooManySessions({ limit }))
    // Sessions without an open stream go first; those with one go too, because hosted clients never close theirs.
    const listening = idle.filter(({ id }) => streams.isOpen(id))
    const left = idle.filter((session) => !listening.includes(session))
    for (const { id } of [...left, ...listening].slice(0, excess)) {
      // It may have got a request while another one was ended.
      if (!servers.isAtWork(id)) yield* remove(id, "made room for a newer one")
    }
  })

  const create = Effect.fnUntraced(function* (principal: Principal, wire: Session.Wire) {
    yield* makeRoom(limits.sessionsPerClient, principal.clientId)
    yield* makeRoom(limits.sessions, null)
    const id = Session.SessionId.make(Hex.encode(yield* random.randomBytes(16)))
    const now = yield* Clock.currentTimeMillis
    store.insert(id, principal, wire, now)
    yield* Effect.promise(() => sweepAt(now + idle))
    yield* Telemetry.count("mcp.sessions.opened", { wire })
    const { clientId, grantId } = principal
    return {
      id,
      clientId,
      organizationId: principal.organizationId ?? null,
      grantId,
      wire,
      initialize: null,
      logLevel: null,
      usedAt: now
    } satisfies Session.Session
  })

  const ended = makeEndedGrants({ store, streams, servers, remove })

  /** Fails for a principal whose grant ended after the Worker had its token checked, or while it held the stream. */
  const refuseEnded = Effect.fnUntraced(function* ({ grantId }: Principal) {
    if (!(yield* authority.has(grantId))) return yield* fail(new GrantEnded())
  })

  /** The SDK takes an `initialize` alone, but also as a batch of one. */
  const introduction = Effect.fnUntraced(function* (body: unknown) {
    const introduced = Session.messages(body).find((message) => isInitialize(message))
    if (introduced === undefined) return undefined
    const rejected = (description: string) => fail(new InitializeRejected({ description }))
    const fault = faultOf(specTypeSchemas.InitializeRequest, introduced)
    if (fault !== undefined) return yield* rejected(fault.words)
    const { params: initialize } = yield* Effect.mapError(decodeInitialize(introduced), ({ message }) =>
      rejected(message)
    )
    if (JSON.stringify(initialize).length > limits.initialize) {
      return yield* rejected(`an initialize may have ${limits.initialize} bytes`)
    }
    // As the SDK negotiates: an unknown version becomes the latest one with sessions.
    const { protocolVersion: asked } = initialize
    const protocolVersion = SUPPORTED_PROTOCOL_VERSIONS.includes(asked) ? asked : LATEST_PROTOCOL_VERSION
    return { ...initialize, protocolVersion }
  })

  return {
    /** Takes a message of a client and answers as the transport does (MCP, Streamable HTTP, sending messages). */
    post: Effect.fn("Sessions.post")(function* (post: Message) {
      const { wire } = post
      const { principal } = post.caller
      yield* refuseEnded(principal)
      const body: unknown = JSON.parse(post.body)
      const initialize = yield* introduction(body)
      if (post.sessionId === undefined && wire === "streamable") {
        const session = yield* create(principal, wire)
        const response = yield* Effect.onError(servers.receive(session, post, body), () =>
          remove(session.id, "not opened")
        )
        if (initialize !== undefined && response.status === 200) store.initialize(session.id, initialize)
        else yield* remove(session.id, "not opened")
        return response
      }
      const session = yield* find(principal, post.sessionId, wire)
      const response = yield* servers.receive(session, post, body)
      const set = Session.messages(body).findLast((message) => isSetLevel(message))
      if (set !== undefined && response.ok) store.setLogLevel(session.id, set.params.level)
      if (wire === "streamable" || !response.ok) return response
      if (initialize !== undefined) store.initialize(session.id, initialize)
      // The answer is sent over the socket, as every event of such a session.
      yield* Effect.promise(async () => response.body?.cancel())
      return new Response(null, { status: 202 })
    }),

    /** Ends a session at its client's request. */
    remove: Effect.fn("Sessions.remove")(function* ({ principal, sessionId }: Session.Removal) {
      const { id } = yield* find(principal, sessionId, "streamable")
      yield* remove(id, "ended by the client")
    }),

    /** Opens the stream of a session: a socket for its own stream, or the rest of a request's stream. */
    listen: Effect.fn("Sessions.listen")(function* ({
      principal,
      wire,
      sessionId,
      lastEventId,
      again
    }: Session.Listen) {
      yield* refuseEnded(principal)
      if (wire === "changes") {
        const limit = Session.exceeded([
          [streams.followers(principal.clientId) + 1, limits.followersPerClient],
          [streams.followers() + 1, limits.followers]
        ])
        if (limit !== undefined) return yield* fail(new TooManyFollowers({ limit }))
        const webSocket = streams.follow(principal, lastEventId)
        return new Response(null, { status: 101, webSocket })
      }
      const opening = sessionId === undefined && wire === "sse"
      const session = opening ? yield* create(principal, wire) : yield* find(principal, sessionId, wire, again)
      const ofRequest = lastEventId === undefined ? false : isOfRequest(lastEventId)
      if (ofRequest === undefined) return yield* fail(new EventUnknown())
      if (lastEventId !== undefined && ofRequest) {
        return yield* servers.resume(session, lastEventId)
      }
      if (lastEventId !== undefined && streams.isReplaced(session, lastEventId)) return yield* fail(new NothingLeft())
      const webSocket = streams.open(session, principal, lastEventId)
      if (lastEventId !== undefined) yield* servers.settle(session, lastEventId)
      const version = session.initialize?.protocolVersion ?? ""
      return new Response(null, {
        status: 101,
        webSocket,
        headers: { "mcp-session-id": session.id, "mcp-protocol-version": version }
      })
    }),

    /** Acts on what has changed for the user. */
    hear: ended.hear,

    /** A client closed its stream. A stream of `/sse` cannot be opened again, so its session ends. */
    left: Effect.fnUntraced(function* (id: Session.SessionId) {
      if (store.find(id)?.wire === "sse") yield* remove(id, "left by the client")
    }),

    /** Ends sessions that were idle for too long, deletes old events, and returns when to run next. */
    sweep: Effect.fn("Sessions.sweep")(function* () {
      const now = yield* Clock.currentTimeMillis
      for (const { id } of store.unusedSince(now - idle)) yield* remove(id, "expired")
      store.deleteEventsUntil(now - limits.eventAge)
      store.deleteLostRequests()
      const due = [
        ...(store.leastUsed === undefined ? [] : [store.leastUsed + idle]),
        ...(store.oldestEvent === undefined ? [] : [store.oldestEvent + limits.eventAge])
      ]
      return due.length === 0 ? undefined : Math.max(Math.min(...due), now + 1_000)
    })
  }
})

export type Sessions = Effect.Success<ReturnType<typeof makeSessions>>
