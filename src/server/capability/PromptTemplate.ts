import type * as Prompt from "effect/ai/Prompt"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Completions, CompletionsOf, NeededBy } from "./Completion.ts"
import { type ContentFailure, declaring, type Described, type FailureSchema, type NotFound } from "./Content.ts"

/** What a prompt says: a text, or texts and files in a row, each a message of its own. */
type Content = string | ReadonlyArray<Prompt.ToolModelOutputPart>

/**
 * A prompt that a person picks in the client. It becomes the first messages of the conversation. `R`: the services that
 * it needs.
 */
export interface PromptTemplate<out R = never> extends Described {
  readonly _tag: "PromptTemplate"
  /** A struct of texts: what protocol clients can ask a person for. */
  readonly arguments: Schema.Codec<unknown, unknown>
  readonly complete: Completions<R>
  readonly content: (values: unknown) => Effect.Effect<Content, ContentFailure, R>
}

/**
 * Describes a prompt. `content` may fail with `NotFound`, and with what `failure` describes.
 */
export const make = <
  A,
  I extends Readonly<Record<string, string>>,
  R = never,
  F extends FailureSchema = Schema.Never,
  Complete = {}
>(
  options: Described & {
    readonly arguments: Schema.Codec<A, I>
    readonly failure?: F
    readonly content: (values: A) => Effect.Effect<Content, NotFound | F["Type"], R>
    /** What to suggest for an argument while a person types. */
    readonly complete?: CompletionsOf<I, Complete>
  }
): PromptTemplate<R | NeededBy<Complete>> => {
  const { content, failure, complete = {}, ...described } = options
  const decode = Schema.decodeUnknownEffect(options.arguments)
  const declared = declaring(failure)
  return {
    _tag: "PromptTemplate",
    ...described,
    complete,
    content: (values) => Effect.flatMap(decode(values), (decoded) => declared(content(decoded)))
  }
}
