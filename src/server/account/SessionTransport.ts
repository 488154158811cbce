import {
  type AuthInfo,
  type EventStore,
  isJSONRPCRequest,
  type JSONRPCMessage,
  type RequestId,
  WebStandardStreamableHTTPServerTransport
} from "@modelcontextprotocol/server"
// workerd has it.
// oxlint-disable-next-line import/no-nodejs-modules
import { AsyncLocalStorage } from "node:async_hooks"

import type { GrantId } from "../domain/Principal.ts"
import { type Asking, ClientQuestions, isAnswer, isCancellation } from "./ClientQuestions.ts"
import { type Initialize, type LogLevel, type SessionId, retryAfter } from "./Session.ts"
import { refusal } from "./SessionFailure.ts"
import { watched } from "./WatchedStream.ts"

/** The SDK's name, in its event store, for the stream of a session that belongs to no request. */
export const standalone = "_GET_stream"

const address = "https://account-agent.invalid/mcp"

/** How often a comment is written to a silent stream, in milliseconds: only a failed write shows that a client has left. */
const keepAliveMs = 5_000

interface Delivery {
  readonly authInfo?: AuthInfo
  readonly grantId?: GrantId
  readonly protocolVersion?: string | undefined
}

/** Where a session's events are stored and sent. */
export interface Outlet extends EventStore {
  /** Stores which requests a stream has to answer, until they are answered. */
  readonly opened: (stream: string, requests: ReadonlyArray<RequestId>) => void
  /** Forgets a request that gets no answer. */
  readonly dropped: (request: RequestId) => void
  /** The session's own stream, for a session on `/sse`, which has no other. */
  readonly only: string | undefined
}

/** The requests of one POST: one stream carries their answers. */
interface Posted {
  readonly requests: ReadonlyArray<RequestId>
  readonly unanswered: Set<RequestId>
  readonly grantId: GrantId | undefined
  /** Whether the client still reads the stream of that POST. */
  isRead: boolean
  /** Whether the requests are stored, so that they survive this server. */
  remembered: boolean
}

/** The POST that an event of the SDK belongs to: the SDK names the stream, but not the requests. */
const storing = new AsyncLocalStorage<Posted | undefined>()

/** The SDK's transport for one session that may outlive the server behind it. `epoch` is another for each server. */
export class SessionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #id: SessionId
  readonly #only: string | undefined
  readonly #dropped: (request: RequestId) => void
  readonly #remember: (posted: Posted, stream: string) => void
  readonly #events: { muted: boolean }
  readonly #onUnsent: (error: unknown) => void
  /** The POST of each open request. */
  readonly #posts = new Map<RequestId, Posted>()
  readonly #answering = new Set<RequestId>()
  readonly #questions: ClientQuestions
  /** How many resumed request streams are open. */
  #resumed = 0

  /** `onUnsent` is called for an answer that could neither be stored nor sent. */
  constructor(id: SessionId, epoch: string, outlet: Outlet, onUnsent: (error: unknown) => void, asking: Asking) {
    const events = { muted: false }
    const remember = (posted: Posted, stream: string) => {
      if (posted.remembered || events.muted) return
      posted.remembered = true
      outlet.opened(stream, [...posted.unanswered])
    }
    super({
      sessionIdGenerator: () => id,
      retryInterval: retryAfter,
      keepAliveMs,
      eventStore: {
        storeEvent: async (stream, message) => {
          if (events.muted) return ""
          const posted = storing.getStore()
          // A stream cannot be resumed before its first event, and need not be after its only answer.
          if (posted !== undefined && !(isAnswer(message) && posted.requests.length === 1)) {
            remember(posted, stream)
          }
          return outlet.storeEvent(stream, message)
        },
        replayEventsAfter: (eventId, options) => outlet.replayEventsAfter(eventId, options)
      }
    })
    this.#id = id
    this.#only = outlet.only
    this.#dropped = outlet.dropped
    this.#remember = remember
    this.#events = events
    this.#onUnsent = onUnsent
    this.#questions = new ClientQuestions(epoch, asking)
  }

  /** How many requests are unanswered. An answer counts once it is stored. */
  get unanswered(): number {
    return [...this.#posts.keys()].filter((id) => this.answers(id)).length
  }

  /** How many of them do not wait for the client's answer to a question. */
  get working(): number {
    return this.unanswered - this.#questions.waiting.size
  }

  /** Whether the client still reads the stream of one of its open questions. */
  get isAttended(): boolean {
    return this.#questions.isAttended
  }

  /** Whether a request waits for its answer. */
  answers(id: RequestId): boolean {
    return this.#posts.get(id)?.unanswered.has(id) === true
  }

  /** Whether these request ids are distinct, and none is used by a request whose stream is open. */
  distinguishes(ids: ReadonlyArray<RequestId>): boolean {
    return new Set(ids).size === ids.length && !ids.some((id) => this.#posts.has(id))
  }

  /** Replays the stored `initialize` to the new server behind this transport; the client gets no answer to it. */
  async restore(initialize: Initialize, level: LogLevel | null): Promise<void> {
    const say = async (method: string, params: object) =>
      (await this.receive({ jsonrpc: "2.0", id: `restore ${method}`, method, params })).text()
    this.#events.muted = true
    await say("initialize", initialize)
    await this.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
    if (level !== null) await say("logging/setLevel", { level })
    this.#events.muted = false
  }

  /** Takes the JSON that a client posted. Its requests count as unanswered before this returns. */
  async receive(body: unknown, { authInfo, grantId, protocolVersion }: Delivery = {}): Promise<Response> {
    const posted: ReadonlyArray<unknown> = Array.isArray(body) ? body : [body]
    const messages = posted.flatMap((message) => this.#questions.unstamped(message))
    if (messages.length === 0 && posted.length > 0) return refusal(400, -32600, late)
    const requests = messages.filter((message) => isJSONRPCRequest(message)).map(({ id }) => id)
    const post: Posted = { requests, unanswered: new Set(requests), grantId, isRead: true, remembered: false }
    for (const id of requests) this.#posts.set(id, post)
    let dispatched = false
    try {
      const answer = await storing.run(post, () =>
        this.handleRequest(this.#request("POST", protocolVersion), {
          parsedBody: Array.isArray(body) ? messages : messages[0],
          ...(authInfo && { authInfo })
        })
      )
      dispatched = answer.status === 200
      if (dispatched && this.#only !== undefined) this.#remember(post, this.#only)
      await Promise.all(messages.map((message) => this.#closeIfCancelled(message)))
      return watched(answer, () => {
        post.isRead = false
        this.#questions.checkLater()
      })
    } finally {
      if (!dispatched) {
        for (const id of requests) {
          this.#forget(id)
          this.#dropped(id)
        }
      }
    }
  }

  /** Resumes the stream of a request after the given event. */
  async resume(eventId: string, protocolVersion: string | undefined): Promise<Response> {
    const request = this.#request("GET", protocolVersion)
    request.headers.set("last-event-id", eventId)
    const answer = await this.handleRequest(request)
    this.#resumed += 1
    return watched(answer, () => {
      this.#resumed -= 1
      this.#questions.checkLater()
    })
  }

  /** Ends the chosen requests: by the grant that they came under, and by whether they wait for the client. */
  end(reason: string, chosen: (of: { grantId: GrantId | undefined; waits: boolean }) => boolean): void {
    const { waiting } = this.#questions
    for (const [id, { grantId }] of this.#posts) {
      if (chosen({ grantId, waits: waiting.has(id) })) this.#end(id, reason)
    }
  }

  override close(): Promise<void> {
    for (const id of this.#posts.keys()) this.#questions.closeOf(id)
    return super.close()
  }

  override async send(message: JSONRPCMessage, options?: { relatedRequestId?: RequestId }): Promise<void> {
    if (!isAnswer(message)) {
      const request = options?.relatedRequestId
      const stamped = this.#questions.stamped(message)
      if (isCancellation(stamped)) this.#questions.close(stamped.params.requestId)
      if (isJSONRPCRequest(stamped)) this.#openQuestion(stamped.id, request)
      return this.#store(stamped, request, options)
    }
    const { id } = message
    if (id !== undefined) this.#answering.add(id)
    try {
      await this.#store(message, id, options)
    } catch (error) {
      this.#onUnsent(error)
      throw error
    } finally {
      if (id !== undefined) this.#forget(id)
    }
  }

  #store(message: JSONRPCMessage, of: RequestId | undefined, options?: { relatedRequestId?: RequestId }) {
    const posted = of === undefined ? undefined : this.#posts.get(of)
    return storing.run(posted, () => super.send(message, options))
  }

  /** An id can be used again once the stream has ended which its answer went to. */
  #forget(id: RequestId): void {
    this.#answering.delete(id)
    this.#questions.closeOf(id)
    const post = this.#posts.get(id)
    post?.unanswered.delete(id)
    if (post?.unanswered.size !== 0) return
    // The SDK ends a stream after the last answer, but not if one of them could not be sent.
    this.closeSSEStream(id)
    for (const request of post.requests) this.#posts.delete(request)
  }

  /** Marks a request as waiting for an answer of the client. */
  #openQuestion(id: RequestId, request: RequestId | undefined): void {
    const post = request === undefined ? undefined : this.#posts.get(request)
    if (request === undefined || post === undefined) return this.#questions.open(id, undefined)
    this.#questions.open(id, {
      request,
      isAttended: () => post.isRead || this.#resumed > 0,
      abandon: () => this.#end(request, "The client left before it answered a question")
    })
  }

  /** Ends a request, and tells why on its stream, or when the client resumes that stream. */
  #end(requestId: RequestId, reason: string): void {
    this.onmessage?.({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId, reason } })
    this.#closeWith(requestId, reason, { told: true }).catch(this.#onUnsent)
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

  async #closeIfCancelled(message: unknown): Promise<void> {
    if (!isCancellation(message)) return
    await this.#closeWith(message.params.requestId, "The request was cancelled", { told: false })
  }

  /**
   * The SDK does not answer a cancelled request and would keep its stream open for ever. So it is given an answer, which
   * a client that resumes the stream gets only if `told` is set.
   */
  async #closeWith(id: RequestId, message: string, { told }: { readonly told: boolean }): Promise<void> {
    if (!this.answers(id) || this.#answering.has(id)) return
    if (!told) this.#dropped(id)
    const last = this.#posts.get(id)?.unanswered.size === 1
    if (last && !told) this.closeSSEStream(id)
    this.#events.muted = last && !told
    const sent = this.send({ jsonrpc: "2.0", id, error: { code: -32000, message } })
    this.#events.muted = false
    await sent
  }
}

const late = "This answer came too late: nobody waits for it any more. Repeat what led to the question."
