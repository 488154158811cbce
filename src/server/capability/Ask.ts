import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"

import * as Question from "./Question.ts"

/**
 * Asks the client while a tool, a prompt or a resource is at work.
 *
 * **The program runs again from its start with every answer.** A question without an answer ends the round: the
 * program is interrupted there, the client asks the person, and calls again with the answers of all rounds. So whatever
 * comes before a question has to be harmless to repeat, and what must happen once comes after the last question. A
 * program asks for the same things under the same keys each time.
 */
export class Ask extends Context.Service<
  Ask,
  {
    /** Whether the client can be asked this kind of question. Asking all the same ends the call with an error. */
    readonly supports: (kind: Question.Inquiry["_tag"]) => boolean
    /** What the client replied so far to the question of this key. Not checked by anybody. */
    readonly reply: (key: string) => unknown
    /** Ends the round with these questions. */
    readonly suspend: (inquiries: Readonly<Record<string, Question.Inquiry>>) => Effect.Effect<never>
  }
>()("tools/Ask") {}

type Answers<Questions extends Readonly<Record<string, Question.Question<unknown>>>> = {
  readonly [Key in keyof Questions]: Questions[Key] extends Question.Question<infer A> ? A : never
}

/** Asks several questions in one round. The keys are the questions' names within this program. */
export const all = Effect.fnUntraced(function* <
  const Questions extends Readonly<Record<string, Question.Question<unknown>>>
>(questions: Questions) {
  const { reply, suspend } = yield* Ask
  const found = Record.map(questions, (question, key) => question.read(reply(key)))
  const open = Record.filter(questions, (_, key) => Option.isNone(found[key] ?? Option.none()))
  if (!Record.isEmptyRecord(open)) return yield* suspend(Record.map(open, ({ inquiry }) => inquiry))
  // Every key holds the answer that its own question read; a mapped record forgets which.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Record.getSomes(found) as Answers<Questions>
})

/** Asks one question. */
export const one = <A>(key: string, question: Question.Question<A>): Effect.Effect<A, never, Ask> =>
  Effect.flatMap(Ask, ({ reply, suspend }) =>
    Option.match(question.read(reply(key)), {
      onNone: () => suspend({ [key]: question.inquiry }),
      onSome: Effect.succeed
    })
  )

/** Asks the person with a form. */
export const form = <A, I>(
  key: string,
  options: Parameters<typeof Question.form<A, I>>[0]
): Effect.Effect<Question.Answer<A>, never, Ask> => one(key, Question.form(options))
