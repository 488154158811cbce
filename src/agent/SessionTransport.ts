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
  readonly #unanswered = new Set<RequestId>()

  constructor(id: McpSessionId, epoch: string, store: EventStore) {
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
  }

  /** How many requests of the client wait for their answer. */
  get unanswered(): number {
    return this.#unanswered.size
  }

  /** Says what is stored of a client to the new server behind this transport; the client hears nothing of it. */
  async restore(initialize: Initialize, level: LogLevel | null): Promise<void> {
    const say = async (method: string, params: object) =>
      (await this.receive({ jsonrpc: "2.0", id: "restore", method, params })).text()
    this.#events.muted = true
    await say("initialize", initialize)
    await this.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
    if (level !== null) await say("logging/setLevel", { level })
    this.#events.muted = false
  }

  /** Takes what a client posted: JSON, not checked yet. */
  async receive(body: unknown, { authInfo, protocolVersion }: Delivery = {}): Promise<Response> {
    const posted: ReadonlyArray<unknown> = Array.isArray(body) ? body : [body]
    const messages = posted.flatMap((message) => this.#unstamped(message))
    if (messages.length === 0 && posted.length > 0) return new Response(null, { status: 202 })
    const requests = messages.filter((message) => isJSONRPCRequest(message)).map(({ id }) => id)
    for (const id of requests) this.#unanswered.add(id)
    const answer = await this.handleRequest(this.#request("POST", protocolVersion), {
      parsedBody: Array.isArray(body) ? messages : messages[0],
      ...(authInfo && { authInfo })
    })
    if (answer.status !== 200) for (const id of requests) this.#unanswered.delete(id)
    await Promise.all(messages.map((message) => this.#closeIfCancelled(message)))
    return answer
  }

  /** Goes on with the stream of a request after the given event. */
  resume(eventId: string, protocolVersion: string | undefined): Promise<Response> {
    const request = this.#request("GET", protocolVersion)
    request.headers.set("last-event-id", eventId)
    return this.handleRequest(request)
  }

  override async send(message: JSONRPCMessage, options?: { relatedRequestId?: RequestId }): Promise<void> {
    if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) {
      if (message.id !== undefined) this.#unanswered.delete(message.id)
      return super.send(message, options)
    }
    return super.send(this.#stamped(message), options)
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
   * The SDK answers a cancelled request with nothing, and would keep its stream open for good. The answer is stored
   * only, so that a client which resumes the stream learns that it has ended.
   */
  async #closeIfCancelled(message: unknown): Promise<void> {
    if (!isCancellation(message) || !this.#unanswered.has(message.params.requestId)) return
    const { requestId } = message.params
    this.closeSSEStream(requestId)
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
