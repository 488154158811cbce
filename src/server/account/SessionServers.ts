import { isJSONRPCRequest } from "@modelcontextprotocol/server"
import * as Cause from "effect/Cause"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"

import type { Caller } from "../access/Caller.ts"
import type { ClientId } from "../domain/Principal.ts"
import { toAuthInfo } from "../mcp/Authorize.ts"
import { ServerFactory } from "../mcp/ServerFactory.ts"
import * as Incident from "../observability/Incident.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import { type Live, LiveServers } from "./LiveServers.ts"
import { PendingQuestions } from "./PendingQuestions.ts"
import * as Session from "./Session.ts"
import { NothingLeft, RequestIdInUse, SessionFailure, SessionsBusy, TooManyRequests } from "./SessionFailure.ts"
import type { SessionStreams } from "./SessionStreams.ts"
import { SessionTransport } from "./SessionTransport.ts"

const { limits } = Session

/** What the servers need from the object. */
export interface Surroundings {
  readonly streams: SessionStreams
  /** Schedules `sweep` for this time, unless it is due earlier. */
  readonly sweepAt: (time: number) => Promise<void>
}

/** A message of a client whose token is good. */
export interface Message extends Omit<Session.Post, "bearer"> {
  readonly caller: Caller
}

/** A session that a client may use. */
interface Found extends Session.Session {
  readonly clientId: ClientId
}

/** The servers behind the sessions of one user, made on demand. */
export const makeSessionServers = Effect.fnUntraced(function* ({ streams, sweepAt }: Surroundings) {
  const factory = yield* ServerFactory
  const random = yield* SecureRandom.SecureRandom
  const log = Effect.runSyncWith(yield* Effect.context())
  const run = Effect.runForkWith(yield* Effect.context())
  const live = new LiveServers(limits.liveServers)
  const questions = new PendingQuestions()

  const kept = (time: number) => sweepAt(time + limits.eventAge)

  /** The session's server: the one in memory, or a new one that gets the stored `initialize`. */
  const serverOf = Effect.fnUntraced(function* ({ id, clientId, wire, initialize, logLevel }: Found) {
    const epoch = Hex.encode(yield* random.randomBytes(6))
    const make = async (): Promise<Live> => {
      const server = factory.make({ listChanged: true })
      // Called for faults of clients and for clients that left. The SDK's server is no event target.
      // oxlint-disable-next-line unicorn/prefer-add-event-listener
      server.server.onerror = ({ name }) =>
        log(Effect.logDebug("MCP request of a session not served").pipe(Effect.annotateLogs({ error: name })))
      const onUnsent = (error: unknown) =>
        log(Incident.report("An answer of a session could not be stored or sent", Cause.die(error)))
      const transport = new SessionTransport(id, epoch, streams.outlet({ id, wire }, kept), onUnsent, {
        open: (question) => questions.open(question, { session: id, clientId }),
        close: (question) => questions.close(question),
        later: (check) => void run(Effect.delay(Effect.sync(check), limits.questionAbandoned)),
        isListening: () => wire === "sse" && streams.isOpen(id)
      })
      await server.connect(transport)
      if (initialize !== null) await transport.restore(initialize, logLevel)
      return { server, transport, clientId }
    }
    const server = live.get(id, make)
    if (server === undefined)
      return yield* new SessionFailure({ reason: new SessionsBusy({ limit: limits.liveServers }) })
    return yield* Effect.promise(() => server)
  })

  const settle = Effect.fnUntraced(function* (session: Session.Session, lastEventId: string) {
    const unanswered = streams.unanswered(session, lastEventId)
    const lost = unanswered.filter((id) => !live.answers(session.id, id))
    yield* Effect.promise(() => streams.tellLost(session, lastEventId, lost, kept))
    return lost.length < unanswered.length
  })

  /** Why further requests are refused. Answers and cancellations are always accepted, because they end requests. */
  const refused = (body: unknown, { transport, clientId }: Live): SessionFailure["reason"] | undefined => {
    const ids = Session.messages(body).flatMap((message) => (isJSONRPCRequest(message) ? [message.id] : []))
    if (!transport.distinguishes(ids)) return new RequestIdInUse()
    if (ids.length === 0) return undefined
    const limit = Session.exceeded([
      [transport.working + ids.length, limits.requestsPerSession],
      [live.working(clientId) + ids.length, limits.requestsPerClient],
      [live.working() + ids.length, limits.requests]
    ])
    return limit === undefined ? undefined : new TooManyRequests({ limit })
  }

  return {
    /** Passes what a client posted to its session's server. */
    receive: Effect.fnUntraced(function* (session: Found, message: Message, body: unknown) {
      const authInfo = toAuthInfo(message.caller, message.resourceMetadataUrl)
      yield* Telemetry.remember(authInfo)
      const server = yield* serverOf(session)
      const reason = refused(body, server)
      if (reason !== undefined) return yield* new SessionFailure({ reason })
      // Without a pause after the check above, so that two requests cannot take the last free place.
      const answer = server.transport.receive(body, {
        authInfo,
        grantId: message.caller.principal.grantId,
        protocolVersion: message.protocolVersion
      })
      return yield* Effect.promise(() => answer)
    }),

    /** Answers the open requests of an event's stream with an error, unless a server works on them. */
    settle,

    /** The rest of a request's stream after an event: notifications and answers. */
    resume: Effect.fnUntraced(function* (session: Found, lastEventId: string) {
      const open = yield* settle(session, lastEventId)
      if (!open && !streams.hasAnswer(session, lastEventId)) {
        return yield* new SessionFailure({ reason: new NothingLeft() })
      }
      const { transport } = yield* serverOf(session)
      return yield* Effect.promise(() => transport.resume(lastEventId, session.initialize?.protocolVersion))
    }),

    /** The servers in memory. */
    live,

    /** Whether a session's server has something to do, or waits for a client that is there. */
    isAtWork: (id: Session.SessionId) => live.isAtWork(id),

    /** Lets a session's server go; its requests are aborted. */
    drop: (id: Session.SessionId) => Effect.promise(() => live.drop(id))
  }
})

export type SessionServers = Effect.Success<ReturnType<typeof makeSessionServers>>
