import * as Effect from "effect/Effect"
import * as Match from "effect/Match"
import * as Schema from "effect/Schema"

import type { RateLimited } from "../access/RateLimits.ts"
import * as Incident from "../observability/Incident.ts"
import type { AccountUnavailable } from "./AccountStub.ts"

/** No session of that id belongs to this user and this client. Whether it belongs to others is not told. */
export class SessionNotFound extends Schema.TaggedError<SessionNotFound>()("SessionNotFound", {}) {}

/** The limit of open sessions, of the user or of this client, is reached and all of them are at work. */
export class TooManySessions extends Schema.TaggedError<TooManySessions>()("TooManySessions", {
  limit: Schema.Int
}) {}

/** The limit of requests in progress is reached: of the session, its client, or the user. */
export class TooManyRequests extends Schema.TaggedError<TooManyRequests>()("TooManyRequests", {
  limit: Schema.Int
}) {}

/** A request has the id of another one whose stream is still open, or that came with it. */
export class RequestIdInUse extends Schema.TaggedError<RequestIdInUse>()("RequestIdInUse", {}) {}

/** The limit of connections that follow changes is reached: of the user or of this client. */
export class TooManyFollowers extends Schema.TaggedError<TooManyFollowers>()("TooManyFollowers", {
  limit: Schema.Int
}) {}

/** The limit of sessions at work is reached. */
export class SessionsBusy extends Schema.TaggedError<SessionsBusy>()("SessionsBusy", { limit: Schema.Int }) {}

/** An `initialize` whose parameters are not those of one, or too much. */
export class InitializeRejected extends Schema.TaggedError<InitializeRejected>()("InitializeRejected", {
  description: Schema.String
}) {}

/** The grant ended while the Worker opened a stream under it, or held one. */
export class GrantEnded extends Schema.TaggedError<GrantEnded>()("GrantEnded", {}) {}

/** An event id that this server never gave out. */
export class EventUnknown extends Schema.TaggedError<EventUnknown>()("EventUnknown", {}) {}

/**
 * There is nothing to resume: all that a stream was to answer was answered before this event, was cancelled or is not
 * kept any more; or another stream was opened in place of the session's.
 *
 * A GET with `Last-Event-ID` means to a client (SDK 1.x; SDK 2.x, and on it the Inspector and mcp-remote):
 *
 * | answer                        | 1.x                                       | 2.x           |
 * | ----------------------------- | ----------------------------------------- | ------------- |
 * | 405                           | stops                                     | stops         |
 * | a stream that brings a result | stops, the call is done                   | the same      |
 * | a stream that brings an error | the call fails; asks once more, after it  | stops         |
 * | any other stream that ends    | asks again after `retry`, for ever        | the same      |
 * | the same without an event id  | asks for a new stream of the session      | the same      |
 * | 400, 404, 409, 5xx            | asks once more                            | the same      |
 * | 204                           | stops                                     | stops         |
 *
 * So only a stream is resumed that an answer is still to come on, and all else is 405, which is also the one answer
 * besides a stream that the protocol knows (MCP 2025-11-25, Streamable HTTP, listening for messages).
 */
export class NothingLeft extends Schema.TaggedError<NothingLeft>()("NothingLeft", {}) {}

/** Why a session does not take a request. */
export class SessionFailure extends Schema.TaggedError<SessionFailure>()("SessionFailure", {
  reason: Schema.Union([
    SessionNotFound,
    TooManySessions,
    TooManyRequests,
    RequestIdInUse,
    TooManyFollowers,
    SessionsBusy,
    InitializeRejected,
    EventUnknown,
    NothingLeft,
    GrantEnded
  ])
}) {}

/** An error as a client reads it: an HTTP status, and a JSON-RPC error, of no request in particular without an `id` (JSON-RPC 2.0, section 5). */
export const refusal = (
  status: number,
  code: number,
  message: string,
  headers: Record<string, string> = {},
  id: unknown = null
) => Response.json({ jsonrpc: "2.0", error: { code, message }, id }, { status, headers })

export const tryLater = (message: string, seconds = 1) =>
  refusal(429, -32000, message, { "retry-after": String(seconds) })

/** What a client is told whose user sends too much. */
export const rateLimited = ({ seconds }: RateLimited): Response =>
  tryLater(`You sent too many requests. Send this one again in ${seconds} seconds.`, seconds)

/** The one place where a session's failure becomes an answer. A 404 tells a client to open a new session (MCP). */
export const answer: (reason: SessionFailure["reason"]) => Response = Match.typeTags<
  SessionFailure["reason"],
  Response
>()({
  SessionNotFound: () => refusal(404, -32001, "Session not found"),
  TooManySessions: ({ limit }) =>
    tryLater(`All of your ${limit} sessions are at work, the most there can be. Send this again later.`),
  TooManyRequests: ({ limit }) =>
    tryLater(`No more than ${limit} requests may wait for an answer. Send this one again later.`),
  RequestIdInUse: () => refusal(400, -32600, "Invalid Request: the id of a request that is still being answered"),
  // It is not known when one of them ends.
  TooManyFollowers: ({ limit }) =>
    refusal(429, -32000, `There are ${limit} open subscriptions, the most there can be. Close one first.`),
  SessionsBusy: ({ limit }) => tryLater(`${limit} of your sessions are busy. Send this request again later.`),
  InitializeRejected: ({ description }) => refusal(400, -32602, `Invalid params: ${description}`),
  EventUnknown: () => refusal(400, -32000, "Invalid event ID"),
  NothingLeft: () => refusal(405, -32000, "Nothing is left of this stream", { allow: "POST, DELETE" }),
  GrantEnded: () =>
    refusal(401, -32000, "Unauthorized: this connection was ended", {
      "www-authenticate": 'Bearer error="invalid_token"'
    })
})

/** What a client is told when its user's object does not answer. */
export const unavailable = (failure: AccountUnavailable): Effect.Effect<Response> =>
  Effect.map(Incident.note("The object of a user did not answer", failure), (reference) =>
    refusal(503, -32603, `Sessions are not available right now. Reference ${reference}`, { "retry-after": "1" })
  )
