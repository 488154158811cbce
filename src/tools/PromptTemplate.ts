import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { CurrentUser } from "../access/CurrentUser.ts"
import type { Policy } from "../access/Policy.ts"
import type { CurrentIdentity } from "../domain/Identity.ts"

/** A prompt that a person picks in the client. Its text becomes the first message of the conversation. */
export interface PromptTemplate {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
  /** A struct of texts: what protocol clients can ask a person for. */
  readonly arguments: Schema.Codec<unknown, unknown>
  readonly text: (values: unknown) => Effect.Effect<string, Schema.SchemaError, CurrentUser | CurrentIdentity>
}

/** Describes a prompt. Without a policy that admits somebody, nobody sees it. */
export const make = <A, I extends Readonly<Record<string, string>>>(options: {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
  readonly arguments: Schema.Codec<A, I>
  readonly text: (values: A) => Effect.Effect<string, never, CurrentUser | CurrentIdentity>
}): PromptTemplate => {
  const decode = Schema.decodeUnknownEffect(options.arguments)
  return { ...options, text: (values) => Effect.flatMap(decode(values), options.text) }
}
