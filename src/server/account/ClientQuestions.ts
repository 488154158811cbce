import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type RequestId
} from "@modelcontextprotocol/server"

import type { Question } from "./PendingQuestions.ts"

/** Where the open questions of a transport are counted. */
export interface Asking {
  /** Returns the limit that would be exceeded, if one would. */
  readonly open: (question: Question) => number | undefined
  readonly close: (question: Question) => void
  /** Calls back when the time is over in which a client may come back. */
  readonly later: (check: () => void) => void
  /** Whether the client reads a stream that carries everything (`/sse`). */
  readonly isListening: () => boolean
}

/** A question that a request waits for. */
interface Asked extends Question {
  readonly request: RequestId
}

/** A result, or an error in place of one. */
export const isAnswer = (message: unknown) => isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)

interface Cancellation {
  readonly jsonrpc: "2.0"
  readonly method: "notifications/cancelled"
  readonly params: { readonly requestId: RequestId }
}

export const isCancellation = (message: unknown): message is Cancellation =>
  isJSONRPCNotification(message) &&
  message.method === "notifications/cancelled" &&
  ["string", "number"].includes(typeof message.params?.["requestId"])

/**
 * The questions of one server to its client. A server numbers them from 0 and a restored one starts again, so their ids
 * are stamped with `epoch`, which is another for each server: an answer that this server does not wait for is dropped.
 */
export class ClientQuestions {
  readonly #stamp: string
  readonly #asking: Asking
  /** The questions that wait for an answer, by the ids that the client knows. Some belong to no request. */
  readonly #open = new Map<RequestId, Asked | undefined>()

  constructor(epoch: string, asking: Asking) {
    this.#stamp = `${epoch}:`
    this.#asking = asking
  }

  /** The requests that wait for the client. */
  get waiting(): ReadonlySet<RequestId> {
    return new Set(this.#asked.map(({ request }) => request))
  }

  /** Whether the client still reads the stream of one of them. */
  get isAttended(): boolean {
    return this.#asked.some((question) => question.isAttended())
  }

  /** A message with the ids that the client sees. */
  stamped(message: JSONRPCMessage): JSONRPCMessage {
    if (isJSONRPCRequest(message)) return { ...message, id: `${this.#stamp}${message.id}` }
    if (!isCancellation(message)) return message
    return { ...message, params: { ...message.params, requestId: `${this.#stamp}${message.params.requestId}` } }
  }

  /** A message with the server's own ids; undefined for an answer that nothing waits for. */
  unstamped(message: unknown): ReadonlyArray<unknown> {
    if (!isAnswer(message)) return [message]
    const id = String(message.id)
    return this.close(id) ? [{ ...message, id: Number(id.slice(this.#stamp.length)) }] : []
  }

  /** Registers a question. `of`: the request that waits for its answer, if one does. */
  open(id: RequestId, of: Asked | undefined): void {
    if (of !== undefined) {
      const question: Asked = { ...of, isAttended: () => of.isAttended() || this.#asking.isListening() }
      const limit = this.#asking.open(question)
      if (limit !== undefined) throw new Error(`No more than ${limit} questions may wait for an answer`)
      this.#open.set(id, question)
      this.checkLater()
    } else this.#open.set(id, undefined)
  }

  /** Whether the question was open. */
  close(id: RequestId): boolean {
    const question = this.#open.get(id)
    if (question !== undefined) this.#asking.close(question)
    return this.#open.delete(id)
  }

  /** Closes the questions that a request waits for. */
  closeOf(request: RequestId): void {
    for (const [id, question] of this.#open) if (question?.request === request) this.close(id)
  }

  /** Abandons the questions whose streams the client has not come back to in time. */
  checkLater(): void {
    const abandoned = () => this.#asked.filter((question) => !question.isAttended())
    if (abandoned().length > 0) this.#asking.later(() => abandoned().forEach(({ abandon }) => abandon()))
  }

  get #asked(): ReadonlyArray<Asked> {
    return [...this.#open.values()].filter((question) => question !== undefined)
  }
}
