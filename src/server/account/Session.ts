import * as Schema from "effect/Schema"

import { ClientId, GrantId, OrganizationId, Principal } from "../domain/Principal.ts"
import type { Admission, Bearer } from "../oauth/Admission.ts"

/** The id of a session of the protocol (MCP, Streamable HTTP, session management). Not to be guessed. */
export const SessionId = Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/u)).pipe(Schema.brand("SessionId"))
export type SessionId = typeof SessionId.Type

/** How the client of a session speaks: Streamable HTTP on `/mcp`, or HTTP with SSE (2024-11-05) on `/sse`. */
export const Wire = Schema.Literals(["streamable", "sse"])
export type Wire = typeof Wire.Type

/** The part of a client's `initialize` that is stored, enough to initialize a new server with. */
export const Initialize = Schema.Struct({
  protocolVersion: Schema.String,
  capabilities: Schema.Record(Schema.String, Schema.Json),
  clientInfo: Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    title: Schema.optionalKey(Schema.String)
  })
})
export type Initialize = typeof Initialize.Type

/** The minimum level of log messages that a client wants (MCP 2025-11-25, logging). */
export const LogLevel = Schema.Literals([
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency"
])
export type LogLevel = typeof LogLevel.Type

/** How a client sets it. The SDK refuses any other level. */
export const SetLevel = Schema.Struct({
  id: Schema.Union([Schema.String, Schema.Finite]),
  method: Schema.Literal("logging/setLevel"),
  params: Schema.Struct({ level: LogLevel })
})

/** A session as it is stored. */
export const Session = Schema.Struct({
  id: SessionId,
  /** The client that owns it. Null in rows from before this was stored: then the client of the grant. */
  clientId: Schema.NullOr(ClientId),
  /** The organization that its requests are for; null for the personal account. */
  organizationId: Schema.NullOr(OrganizationId),
  /** The grant that it was used under last. */
  grantId: GrantId,
  wire: Wire,
  /** Null until `initialize`, which a client of `/sse` sends after its session was made. */
  initialize: Schema.NullOr(Schema.fromJsonString(Initialize)),
  /** None unless the client has set it. */
  logLevel: Schema.NullOr(LogLevel),
  /** In milliseconds since 1970; up to a minute late. */
  usedAt: Schema.Finite
})
export type Session = typeof Session.Type

/** Limits of one user, and of one client of the user, so that a runaway client leaves room for the others. */
export const limits = {
  sessions: 1_024,
  sessionsPerClient: 512,
  /**
   * Servers held in memory, beside those that only wait for an answer to a question; the sessions beyond them are
   * restored when they are used.
   */
  liveServers: 32,
  /** Connections without a session that only hear of changed lists. */
  followers: 256,
  followersPerClient: 128,
  /** Requests in progress: of one session, of one client, and of all. */
  requestsPerSession: 16,
  requestsPerClient: 32,
  requests: 64,
  /** Questions to clients without an answer yet; their requests are in progress meanwhile. */
  questionsPerSession: 16,
  questionsPerClient: 32,
  questions: 64,
  /** How long a client whose stream broke off has to come back to a question, in milliseconds. */
  questionAbandoned: 15_000,
  /** An `initialize` as it is stored, in bytes. */
  initialize: 3 * 1024,
  /**
   * What a stream can be resumed from: events of a session, their age in milliseconds, the length of one, and the bytes
   * of all sessions' events.
   */
  events: 64,
  eventAge: 5 * 60_000,
  eventLength: 256 * 1024,
  eventBytes: 16 * 1024 * 1024,
  /** How long requests that were in progress when their grant was revoked may still be answered, in milliseconds. */
  lastAnswers: 5_000
} as const

/** The first of these limits that its count exceeds. */
export const exceeded = (counts: ReadonlyArray<readonly [count: number, limit: number]>): number | undefined =>
  counts.find(([count, limit]) => count > limit)?.[1]

/** A message of a client, on its way from the Worker to the object of its user. */
export interface Post {
  readonly bearer: Bearer
  readonly resourceMetadataUrl: string
  readonly wire: Wire
  /** As the client sent it; none opens a session. */
  readonly sessionId: string | undefined
  readonly protocolVersion: string | undefined
  /** JSON. */
  readonly body: string
}

/** What comes of a message: its answer, where the token was good and carries the baseline scope. */
export type Posted = Admission & { readonly answer?: Response }

/** The messages of a body, which may be one or a batch (MCP 2025-03-26). */
export const messages = (body: unknown): ReadonlyArray<unknown> => (Array.isArray(body) ? body : [body])

/** A client's request to end its session (DELETE). */
export interface Removal extends Pick<Post, "sessionId"> {
  readonly principal: Principal
}

/**
 * What the Worker sends with the upgrade that opens a session's stream. Without a session id, it opens a session of `/sse`;
 * `changes` needs no session, and hears of changed lists only.
 */
export const Listen = Schema.Struct({
  principal: Principal,
  wire: Schema.Literals([...Wire.literals, "changes"]),
  sessionId: Schema.optionalKey(Schema.String),
  lastEventId: Schema.optionalKey(Schema.String),
  /** Set when the Worker reconnects for a client whose stream it still holds: not a use of the session by that grant. */
  again: Schema.optionalKey(Schema.Literal(true))
})
export type Listen = typeof Listen.Type

/** The header of the upgrade that holds it. The Worker writes that request, so it never comes from a client. */
export const listenHeader = "x-account-listen"
export const ListenHeader = Schema.fromJsonString(Listen)

/** One event of a session's stream, as sent over the socket. Without `data` it only carries the latest id. */
export const Frame = Schema.Struct({ id: Schema.String, data: Schema.optionalKey(Schema.String) })

/** How long a client waits before it resumes a stream, in milliseconds (MCP 2025-11-25, Streamable HTTP). */
export const retryAfter = 1_000

/** Close codes after which the Worker does not dial again. */
export const closing = { ended: 1000, replaced: 4001 } as const
