import type { ClientId } from "../domain/Principal.ts"
import { limits, type SessionId } from "./Session.ts"

/** A question to a client, whose answer a request waits for. */
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

/** The questions of one user's sessions, oldest first. They have limits of their own, and take no other place. */
export class PendingQuestions {
  readonly #open = new Map<Question, Asked>()

  /**
   * Lets a question wait for its answer. Where there are as many as may be, the oldest one goes whose client has left;
   * if all of them are still there, this one is refused, and the limit is the answer.
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
