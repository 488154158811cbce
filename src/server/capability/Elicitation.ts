import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"

import * as Question from "./Question.ts"

type Questions = Readonly<Record<string, Question.Question<unknown>>>

type Answers<Asked extends Questions> = {
  readonly [Key in keyof Asked]: Asked[Key] extends Question.Question<infer A> ? A : never
}

/**
 * Puts questions to the client while a tool, a prompt or a resource is at work (MCP, multi-round-trip requests, and
 * elicitation, sampling and roots before 2026-07-28).
 *
 * **The program runs again from its start with every answer.** A question without an answer ends the round: the
 * program is interrupted there, the client asks the person, and calls again with the answers of all rounds. So whatever
 * comes before a question has to be harmless to repeat, and what must happen once comes after the last question. A
 * program asks for the same things under the same keys each time.
 */
export class Elicitation extends Context.Service<
  Elicitation,
  {
    /** Whether the client declared that it can answer this kind of question. */
    readonly supports: (kind: Question.InputRequest["_tag"]) => boolean
    /** What the client replied so far to the question of this key. Not checked by anybody. */
    readonly reply: (key: string) => unknown
    /** Ends the round with these questions. */
    readonly suspend: (requests: Readonly<Record<string, Question.InputRequest>>) => Effect.Effect<never>
  }
>()("capability/Elicitation") {
  /**
   * Whether the client can answer this kind of question, so that a tool can offer another way to a client that cannot.
   * A question all the same ends the call with an error that tells the client what it lacks.
   */
  static readonly supports = (kind: Question.InputRequest["_tag"]): Effect.Effect<boolean, never, Elicitation> =>
    Effect.map(Elicitation, ({ supports }) => supports(kind))

  /** The answers to several questions, put in one round. The keys are the questions' names within this program. */
  static readonly all = Effect.fnUntraced(function* <const Asked extends Questions>(questions: Asked) {
    const { reply, suspend } = yield* Elicitation
    const found = Record.map(questions, (question, key) => question.read(reply(key)))
    const open = Record.filter(questions, (_, key) => Option.isNone(found[key] ?? Option.none()))
    if (!Record.isEmptyRecord(open)) return yield* suspend(Record.map(open, ({ request }) => request))
    // Every key holds the answer that its own question read; a mapped record forgets which.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return Record.getSomes(found) as Answers<Asked>
  })

  /** The answer to one question. `key` is its name within this program. */
  static readonly one = <A>(key: string, question: Question.Question<A>): Effect.Effect<A, never, Elicitation> =>
    Effect.flatMap(Elicitation, ({ reply, suspend }) =>
      Option.match(question.read(reply(key)), {
        onNone: () => suspend({ [key]: question.request }),
        onSome: Effect.succeed
      })
    )

  /** What a person does with a form. */
  static readonly form = <A, I>(
    key: string,
    options: Parameters<typeof Question.form<A, I>>[0]
  ): Effect.Effect<Question.Answer<A>, never, Elicitation> => Elicitation.one(key, Question.form(options))
}
