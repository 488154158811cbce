import type { ClientId } from "../domain/Principal.ts"
import { limits, type SessionId } from "./Session.ts"

/** A question to a client. A request waits for its answer. */
export interface Question {
  /** Whether the client reads the stream that it was put on. */
  readonly isAttended: () => boolean
  /** Ends the request. */
  readonly abandon: () => void
}

interface Asked {
  readonly session: SessionId
  readonly clientId: ClientId
}

/** The open questions of one user's sessions, oldest first. They count against limits of their own only. */
export class PendingQuestions {
  readonly #open = new Map<Question, Asked>()

  /**
   * Adds a question. At a limit, the oldest one whose client has left is dropped; if no client has left, this one is
   * refused and the limit is returned.
   */
  open(question: Question, asked: Asked): number | undefined {
    const limit =
      this.#exceeded(limits.questionsPerSession, ({ session }) => session === asked.session) ??
      this.#exceeded(limits.questionsPerClient, ({ clientId }) => clientId === asked.clientId) ??
      this.#exceeded(limits.questions, () => true)
    if (limit === undefined) this.#open.set(question, asked)
    return limit
  }

  close(question: Question): void {
    this.#open.delete(question)
  }

  #exceeded(limit: number, counts: (asked: Asked) => boolean): number | undefined {
    const open = [...this.#open].filter(([, asked]) => counts(asked)).map(([question]) => question)
    if (open.length < limit) return undefined
    const abandoned = open.find((question) => !question.isAttended())
    if (abandoned === undefined) return limit
    this.close(abandoned)
    abandoned.abandon()
    return undefined
  }
}
