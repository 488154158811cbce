import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { CurrentUser } from "../access/CurrentUser.ts"
import type { Policy } from "../access/Policy.ts"
import type { CurrentPrincipal } from "../domain/Principal.ts"
import type { Elicitation } from "./Elicitation.ts"
import type { Completions } from "./Completion.ts"

type Services = CurrentUser | CurrentPrincipal | Elicitation

/** A family of resources that answer with JSON, one for each way to fill in the address (RFC 6570). */
export interface ResourceTemplate {
  readonly uriTemplate: string
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
  readonly complete: Completions
  /** The JSON text of the resource whose address has these values. Fails where no resource can have them. */
  readonly read: (values: unknown) => Effect.Effect<string, Schema.SchemaError, Services>
}

/**
 * Describes a family of resources. `parameters` decodes the values in the address, which arrive as they stand there: take
 * `Schema.StringFromUriComponent` for a text that may be percent-encoded. `content` is encoded with `schema`. Without a
 * policy that admits somebody, nobody sees it.
 */
export const make = <A, I extends Readonly<Record<string, string>>, B, J>(options: {
  readonly uriTemplate: string
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
  readonly parameters: Schema.Codec<A, I>
  readonly schema: Schema.Codec<B, J>
  readonly content: (values: A) => Effect.Effect<B, never, Services>
  readonly complete?: { readonly [Key in keyof I]?: Completions[string] }
}): ResourceTemplate => {
  const { parameters, schema, content, complete = {}, ...described } = options
  const decode = Schema.decodeUnknownEffect(parameters)
  const encode = Schema.encodeEffect(Schema.fromJsonString(schema))
  return {
    ...described,
    complete,
    read: (values) =>
      Effect.flatMap(decode(values), (decoded) => Effect.orDie(Effect.flatMap(content(decoded), encode)))
  }
}
