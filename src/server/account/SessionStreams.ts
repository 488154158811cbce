import { type JSONRPCMessage, parseJSONRPCMessage, type RequestId } from "@modelcontextprotocol/server"
import type { LifecycleSockets } from "agents/lifecycle"
import * as Schema from "effect/Schema"

import { ClientId, type GrantId, type Principal } from "../domain/Principal.ts"
import { isAnswer } from "./ClientQuestions.ts"
import { closing, Frame, limits, SessionId, type Session } from "./Session.ts"
import type { SessionStore } from "./SessionStore.ts"
import { type Outlet, standalone } from "./SessionTransport.ts"

/**
 * Attached to a socket so that it survives hibernation: the session whose stream it carries, or the client of a
 * follower, and for a stream that resumes no other the number of its first event.
 */
const Attachment = Schema.Struct({
  session: Schema.NullOr(SessionId),
  client: Schema.optionalKey(ClientId),
  begun: Schema.optionalKey(Schema.Finite)
})
const isAttachment = Schema.is(Attachment)
const encodeFrame = Schema.encodeSync(Schema.fromJsonString(Frame))

const sessionTag = (id: SessionId) => `session:${id}`
const grantTag = (id: GrantId) => `grant:${id}`

const followerTag = "follower"

const eventId = (stream: string, seq: number) => `${stream}.${seq}`

/** Parses an id that `eventId` made. */
const parseEventId = (id: string) => {
  const [, stream, seq] = /^([\w-]{1,64})\.(\d{1,16})$/u.exec(id) ?? []
  return stream === undefined ? undefined : { stream, seq: Number(seq) }
}

/**
 * Whether an event belongs to the stream of a request (true) or to the session's own (false); undefined for what is no
 * event id.
 */
export const isOfRequest = (id: string): boolean | undefined => {
  const event = parseEventId(id)
  return event && event.stream !== standalone
}

/**
 * The streams of the sessions: every event gets an id and is kept for resumption; what belongs to no request goes to
 * the socket of its session. A client of `/sse` gets everything there. `now` is in milliseconds since 1970.
 */
export class SessionStreams {
  readonly #store: SessionStore
  readonly #sockets: LifecycleSockets
  readonly #now: () => number

  constructor(store: SessionStore, sockets: LifecycleSockets, now: () => number) {
    this.#store = store
    this.#sockets = sockets
    this.#now = now
  }

  /** What a session's transport reports its events to. `kept` is told when one was stored. */
  outlet({ id, wire }: Pick<Session, "id" | "wire">, kept: (time: number) => Promise<void>): Outlet {
    const only = wire === "sse" ? standalone : undefined
    return {
      only,
      opened: (name, requests) => {
        for (const request of requests) this.#store.openRequest(id, request, only ?? name)
      },
      dropped: (request) => this.#store.closeRequest(id, request),
      storeEvent: async (name, message) => {
        const stream = only ?? name
        const now = this.#now()
        const seq = this.#store.nextSeq(now)
        // The SDK primes a stream with an empty event: an id to resume from.
        if (!("jsonrpc" in message)) return eventId(stream, seq)
        this.#append(id, stream, seq, message)
        if (isAnswer(message) && message.id !== undefined) this.#store.closeRequest(id, message.id)
        await kept(now)
        return eventId(stream, seq)
      },
      replayEventsAfter: async (lastEventId, { send }) => {
        const after = parseEventId(lastEventId)
        if (after === undefined) throw new Error("not an event id")
        const missed = this.#store.eventsAfter(id, after.stream, after.seq)
        await Promise.all(
          missed.map(({ seq, message }) => send(eventId(after.stream, seq), parseJSONRPCMessage(JSON.parse(message))))
        )
        return after.stream
      }
    }
  }

  /** The requests that the stream of this event has not answered yet. */
  unanswered({ id }: Session, lastEventId: string): ReadonlyArray<RequestId> {
    return this.#store.openRequests(id, parseEventId(lastEventId)?.stream ?? "")
  }

  /** Answers requests of that stream with an error: no server works on them any more. */
  async tellLost(
    session: Session,
    lastEventId: string,
    requests: ReadonlyArray<RequestId>,
    kept: (time: number) => Promise<void>
  ): Promise<void> {
    const stream = parseEventId(lastEventId)?.stream ?? ""
    const outlet = this.outlet(session, kept)
    await Promise.all(requests.map((id) => outlet.storeEvent(stream, { jsonrpc: "2.0", id, error: lost })))
  }

  /** Whether the stream of this event has a later event that is an answer. */
  hasAnswer({ id }: Session, lastEventId: string): boolean {
    const after = parseEventId(lastEventId)
    if (after === undefined) return false
    const missed = this.#store.eventsAfter(id, after.stream, after.seq)
    return missed.some(({ message }) => isAnswer(JSON.parse(message)))
  }

  /** Whether another stream of the session is open that replaced the one of this event and did not resume it. */
  isReplaced({ id }: Session, lastEventId: string): boolean {
    const seq = parseEventId(lastEventId)?.seq ?? 0
    const open = this.#sockets.get(sessionTag(id)).filter(({ readyState }) => readyState === WebSocket.OPEN)
    return open.some((socket) => (attachmentOf(socket)?.begun ?? 0) > seq)
  }

  /** Accepts the socket on which a grant reads a session's stream, closes an older one, and sends the missed events. */
  open({ id }: Session, { grantId }: Principal, lastEventId: string | undefined): WebSocket {
    this.close(id, closing.replaced, "replaced by a newer stream")
    const after = lastEventId === undefined ? undefined : parseEventId(lastEventId)
    const missed = after === undefined ? [] : this.#store.eventsAfter(id, standalone, after.seq)
    const attachment = { session: id, ...(after === undefined && { begun: this.#store.nextSeq(this.#now()) }) }
    const { client, server } = this.#accept(attachment, [sessionTag(id), grantTag(grantId)])
    for (const { seq, message } of missed) {
      server.send(encodeFrame({ id: eventId(standalone, seq), data: message }))
    }
    this.#begin(server, after?.seq)
    return client
  }

  /** The sessions whose streams are read under a grant. */
  openedUnder(grant: GrantId): ReadonlyArray<SessionId> {
    const open = this.#sockets.get(grantTag(grant)).filter(({ readyState }) => readyState === WebSocket.OPEN)
    return open.flatMap((socket) => attachmentOf(socket)?.session ?? [])
  }

  /** Whether somebody reads the session's own stream. */
  isOpen(id: SessionId): boolean {
    return this.#sockets.get(sessionTag(id)).some(({ readyState }) => readyState === WebSocket.OPEN)
  }

  /** How many sockets only hear of changed lists: those of one client, or all. */
  followers(client?: ClientId): number {
    return this.#followers().filter((socket) => client === undefined || attachmentOf(socket)?.client === client).length
  }

  /** Accepts a socket that hears of changed lists. */
  follow({ clientId, grantId }: Principal, lastEventId: string | undefined): WebSocket {
    const { client, server } = this.#accept({ session: null, client: clientId }, [followerTag, grantTag(grantId)])
    this.#begin(server, lastEventId === undefined ? undefined : parseEventId(lastEventId)?.seq)
    return client
  }

  /** Closes the sockets that belong to no session: all, or those opened under one grant. */
  closeFollowers(grant?: GrantId): void {
    for (const socket of this.#followers(grant)) socket.close(closing.ended, "revoked")
  }

  close(id: SessionId, code: number, reason: string): void {
    for (const socket of this.#sockets.get(sessionTag(id))) socket.close(code, reason)
  }

  /** Tells every open stream of the user that the lists have changed; one that is resumed later is told then. */
  tellListsChanged(): void {
    const seqs = lists.map(() => this.#store.nextSeq(this.#now()))
    this.#store.listsChangedAt = seqs.at(-1) ?? 0
    for (const socket of this.#sockets.get()) sendListsChanged(socket, seqs)
  }

  #followers(grant?: GrantId): ReadonlyArray<WebSocket> {
    if (grant === undefined) return this.#sockets.get(followerTag)
    return this.#sockets.get(grantTag(grant)).filter((socket) => attachmentOf(socket)?.session === null)
  }

  #accept(attachment: typeof Attachment.Type, tags: Array<string>) {
    const { 0: client, 1: server } = new WebSocketPair()
    this.#sockets.accept(server, tags)
    server.serializeAttachment(attachment)
    return { client, server }
  }

  /** Sends the id of the latest event, after a notification of a missed change if there was one. */
  #begin(socket: WebSocket, after: number | undefined): void {
    const changedAt = this.#store.listsChangedAt
    if (after !== undefined && changedAt !== undefined && changedAt > after) {
      const seqs = lists.map(() => changedAt)
      sendListsChanged(socket, seqs)
    }
    socket.send(encodeFrame({ id: eventId(standalone, this.#store.nextSeq(this.#now())) }))
  }

  #append(id: SessionId, stream: string, seq: number, message: JSONRPCMessage): void {
    const data = JSON.stringify(message)
    const kept = data.length > limits.eventLength ? tooLong(message) : data
    if (kept !== undefined) this.#store.append(id, stream, seq, kept)
    if (stream !== standalone) return
    const frame = encodeFrame({ id: eventId(stream, seq), data })
    for (const socket of this.#sockets.get(sessionTag(id))) {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame)
    }
  }
}

/** Replaces, when a client resumes, an answer that was too long to be kept. Other events that were too long are dropped. */
const tooLong = (message: JSONRPCMessage): string | undefined =>
  isAnswer(message)
    ? JSON.stringify({
        jsonrpc: "2.0",
        id: message.id,
        error: { code: -32000, message: "The answer is too long to be sent a second time. Ask for it again." }
      })
    : undefined

const lost = {
  code: -32603,
  message:
    "The server stopped working on this before it was done, as it does when it is restarted. " +
    "Whether it was carried out is not known: check that, then try again."
}

const lists = ["tools", "resources", "prompts"]

const sendListsChanged = (socket: WebSocket, seqs: ReadonlyArray<number>): void => {
  const attachment = attachmentOf(socket)
  if (attachment === undefined || socket.readyState !== WebSocket.OPEN) return
  const ids = seqs.map((seq) => eventId(standalone, seq))
  // A follower gets one message and translates it to its own protocol version.
  if (attachment.session === null) return socket.send(encodeFrame({ id: ids.at(-1) ?? "", data: "changed" }))
  for (const [index, id] of ids.entries()) {
    const data = JSON.stringify({ jsonrpc: "2.0", method: `notifications/${lists[index]}/list_changed` })
    socket.send(encodeFrame({ id, data }))
  }
}

/** What a socket carries; undefined for sockets of somebody else. */
export const attachmentOf = (socket: WebSocket): typeof Attachment.Type | undefined => {
  const attachment: unknown = socket.deserializeAttachment()
  return isAttachment(attachment) ? attachment : undefined
}
