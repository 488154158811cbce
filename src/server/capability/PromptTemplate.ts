import type * as Prompt from "effect/ai/Prompt"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { CurrentUser } from "../access/CurrentUser.ts"
import type { Policy } from "../access/Policy.ts"
import type { CurrentPrincipal } from "../domain/Principal.ts"
import type { Elicitation } from "./Elicitation.ts"
import type { Completions } from "./Completion.ts"

type Services = CurrentUser | CurrentPrincipal | Elicitation

/** What a prompt says: a text, or texts and files in a row, each a message of its own. */
type Content = string | ReadonlyArray<Prompt.ToolModelOutputPart>

/** A prompt that a person picks in the client. It becomes the first messages of the conversation. */
export interface PromptTemplate {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
  /** A struct of texts: what protocol clients can ask a person for. */
  readonly arguments: Schema.Codec<unknown, unknown>
  readonly complete: Completions
  readonly content: (values: unknown) => Effect.Effect<Content, Schema.SchemaError, Services>
}

/** Describes a prompt. Without a policy that admits somebody, nobody sees it. */
export const make = <A, I extends Readonly<Record<string, string>>>(options: {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
  readonly arguments: Schema.Codec<A, I>
  readonly content: (values: A) => Effect.Effect<Content, never, Services>
  /** What to suggest for an argument while a person types. */
  readonly complete?: { readonly [Key in keyof I]?: Completions[string] }
}): PromptTemplate => {
  const decode = Schema.decodeUnknownEffect(options.arguments)
  return {
    ...options,
    complete: options.complete ?? {},
    content: (values) => Effect.flatMap(decode(values), options.content)
  }
}
