import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type RequestId
} from "@modelcontextprotocol/server"

import type { Question } from "./PendingQuestions.ts"

/** Where the questions of a transport wait for their answers. */
export interface Asking {
  /** Answers the limit that would be exceeded. */
  readonly open: (question: Question) => number | undefined
  readonly close: (question: Question) => void
  /** Calls back when a client that has left had its time to come back. */
  readonly later: (check: () => void) => void
  /** Whether the client reads a stream on which it gets everything. */
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

  /** Whether the client is there for one of them. */
  get isAttended(): boolean {
    return this.#asked.some((question) => question.isAttended())
  }

  /** A message as the client gets it. */
  stamped(message: JSONRPCMessage): JSONRPCMessage {
    if (isJSONRPCRequest(message)) return { ...message, id: `${this.#stamp}${message.id}` }
    if (!isCancellation(message)) return message
    return { ...message, params: { ...message.params, requestId: `${this.#stamp}${message.params.requestId}` } }
  }

  /** A message as the server gets it: none for an answer that nobody waits for. */
  unstamped(message: unknown): ReadonlyArray<unknown> {
    if (!isAnswer(message)) return [message]
    const id = String(message.id)
    return this.close(id) ? [{ ...message, id: Number(id.slice(this.#stamp.length)) }] : []
  }

  /** Has a request wait for an answer; `of` is undefined for a question that belongs to none. */
  open(id: RequestId, of: Asked | undefined): void {
    if (of !== undefined) {
      const question: Asked = { ...of, isAttended: () => of.isAttended() || this.#asking.isListening() }
      const limit = this.#asking.open(question)
      if (limit !== undefined) throw new Error(`No more than ${limit} questions may wait for an answer`)
      this.#open.set(id, question)
      this.checkLater()
    } else this.#open.set(id, undefined)
  }

  /** Whether the question waited. */
  close(id: RequestId): boolean {
    const question = this.#open.get(id)
    if (question !== undefined) this.#asking.close(question)
    return this.#open.delete(id)
  }

  /** Closes the questions that a request waits for. */
  closeOf(request: RequestId): void {
    for (const [id, question] of this.#open) if (question?.request === request) this.close(id)
  }

  /** Abandons, once the client had its time to come back, the questions that it is not there for. */
  checkLater(): void {
    const abandoned = () => this.#asked.filter((question) => !question.isAttended())
    if (abandoned().length > 0) this.#asking.later(() => abandoned().forEach(({ abandon }) => abandon()))
  }

  get #asked(): ReadonlyArray<Asked> {
    return [...this.#open.values()].filter((question) => question !== undefined)
  }
}
