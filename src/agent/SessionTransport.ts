import {
  type AuthInfo,
  type EventStore,
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type RequestId,
  WebStandardStreamableHTTPServerTransport
} from "@modelcontextprotocol/server"

import { type Initialize, type LogLevel, type McpSessionId, retryAfter } from "./Session.ts"

/** The stream of a session that belongs to no request, as the SDK names it to the event store. */
export const standalone = "_GET_stream"

const address = "https://account-agent.invalid/mcp"

interface Delivery {
  readonly authInfo?: AuthInfo
  readonly protocolVersion?: string | undefined
}

/**
 * The SDK's transport for one session that may outlive the server behind it.
 *
 * A server numbers its questions from 0 and a restored one starts again, so their ids are stamped with `epoch`, which
 * is another for each server: an answer to a question of an earlier server is dropped.
 */
export class SessionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #id: McpSessionId
  readonly #stamp: string
  readonly #events: { muted: boolean }
  readonly #onUnsent: (error: unknown) => void
  /** Each request, and those that are unanswered of all that came with it: one stream carries their answers. */
  readonly #posts = new Map<RequestId, Set<RequestId>>()
  readonly #answering = new Set<RequestId>()

  /** `onUnsent` hears of an answer that could neither be stored nor sent. */
  constructor(id: McpSessionId, epoch: string, store: EventStore, onUnsent: (error: unknown) => void) {
    const events = { muted: false }
    super({
      sessionIdGenerator: () => id,
      retryInterval: retryAfter,
      eventStore: {
        storeEvent: (stream, message) => (events.muted ? Promise.resolve("") : store.storeEvent(stream, message)),
        replayEventsAfter: (eventId, options) => store.replayEventsAfter(eventId, options)
      }
    })
    this.#id = id
    this.#stamp = `${epoch}:`
    this.#events = events
    this.#onUnsent = onUnsent
  }

  /** How many requests of the client wait for their answer, which counts once it is stored. */
  get unanswered(): number {
    return [...this.#posts].filter(([id, waiting]) => waiting.has(id)).length
  }

  /** Whether requests of these ids can be told from those whose streams are open, and from each other. */
  distinguishes(ids: ReadonlyArray<RequestId>): boolean {
    return new Set(ids).size === ids.length && !ids.some((id) => this.#posts.has(id))
  }

  /** Says what is stored of a client to the new server behind this transport; the client hears nothing of it. */
  async restore(initialize: Initialize, level: LogLevel | null): Promise<void> {
    const say = async (method: string, params: object) =>
      (await this.receive({ jsonrpc: "2.0", id: `restore ${method}`, method, params })).text()
    this.#events.muted = true
    await say("initialize", initialize)
    await this.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
    if (level !== null) await say("logging/setLevel", { level })
    this.#events.muted = false
  }

  /** Takes what a client posted: JSON, not checked yet. It counts as unanswered before this returns. */
  async receive(body: unknown, { authInfo, protocolVersion }: Delivery = {}): Promise<Response> {
    const posted: ReadonlyArray<unknown> = Array.isArray(body) ? body : [body]
    const messages = posted.flatMap((message) => this.#unstamped(message))
    if (messages.length === 0 && posted.length > 0) return new Response(null, { status: 202 })
    const requests = messages.filter((message) => isJSONRPCRequest(message)).map(({ id }) => id)
    const waiting = new Set(requests)
    for (const id of requests) this.#posts.set(id, waiting)
    let dispatched = false
    try {
      const answer = await this.handleRequest(this.#request("POST", protocolVersion), {
        parsedBody: Array.isArray(body) ? messages : messages[0],
        ...(authInfo && { authInfo })
      })
      dispatched = answer.status === 200
      await Promise.all(messages.map((message) => this.#closeIfCancelled(message)))
      return answer
    } finally {
      if (!dispatched) for (const id of requests) this.#forget(id)
    }
  }

  /** Goes on with the stream of a request after the given event. */
  resume(eventId: string, protocolVersion: string | undefined): Promise<Response> {
    const request = this.#request("GET", protocolVersion)
    request.headers.set("last-event-id", eventId)
    return this.handleRequest(request)
  }

  override async send(message: JSONRPCMessage, options?: { relatedRequestId?: RequestId }): Promise<void> {
    if (!isJSONRPCResultResponse(message) && !isJSONRPCErrorResponse(message)) {
      return super.send(this.#stamped(message), options)
    }
    const { id } = message
    if (id !== undefined) this.#answering.add(id)
    try {
      await super.send(message, options)
    } catch (error) {
      this.#onUnsent(error)
      throw error
    } finally {
      if (id !== undefined) this.#forget(id)
    }
  }

  /** An id can be used again once the stream has ended which its answer went to. */
  #forget(id: RequestId): void {
    this.#answering.delete(id)
    const waiting = this.#posts.get(id)
    waiting?.delete(id)
    if (waiting?.size !== 0) return
    // The SDK ends a stream after the last answer, but not if one of them could not be sent.
    this.closeSSEStream(id)
    for (const [known, of] of this.#posts) if (of === waiting) this.#posts.delete(known)
  }

  #request(method: "GET" | "POST", protocolVersion: string | undefined): Request {
    return new Request(address, {
      method,
      headers: {
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-session-id": this.#id,
        ...(protocolVersion !== undefined && { "mcp-protocol-version": protocolVersion })
      }
    })
  }

  #stamped(message: JSONRPCMessage): JSONRPCMessage {
    if (isJSONRPCRequest(message)) return { ...message, id: `${this.#stamp}${message.id}` }
    if (!isCancellation(message)) return message
    return { ...message, params: { ...message.params, requestId: `${this.#stamp}${message.params.requestId}` } }
  }

  #unstamped(message: unknown): ReadonlyArray<unknown> {
    if (!isJSONRPCResultResponse(message) && !isJSONRPCErrorResponse(message)) return [message]
    const id = String(message.id)
    return id.startsWith(this.#stamp) ? [{ ...message, id: Number(id.slice(this.#stamp.length)) }] : []
  }

  /**
   * The SDK answers a cancelled request with nothing, and would keep its stream open for good. If nothing else is to
   * come on that stream, the answer is stored only, so that a client which resumes it learns that it has ended.
   */
  async #closeIfCancelled(message: unknown): Promise<void> {
    if (!isCancellation(message)) return
    const { requestId } = message.params
    const waiting = this.#posts.get(requestId)
    if (waiting?.has(requestId) !== true || this.#answering.has(requestId)) return
    if (waiting.size === 1) this.closeSSEStream(requestId)
    await this.send({ jsonrpc: "2.0", id: requestId, error: { code: -32000, message: "The request was cancelled" } })
  }
}

interface Cancellation {
  readonly jsonrpc: "2.0"
  readonly method: "notifications/cancelled"
  readonly params: { readonly requestId: RequestId }
}

const isCancellation = (message: unknown): message is Cancellation =>
  isJSONRPCNotification(message) &&
  message.method === "notifications/cancelled" &&
  ["string", "number"].includes(typeof message.params?.["requestId"])
