import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Completions, CompletionsOf, NeededBy } from "./Completion.ts"
import { type ContentFailure, declaring, type Described, type FailureSchema, type NotFound } from "./Content.ts"

/**
 * A family of resources that answer with JSON, one for each way to fill in the address (RFC 6570). `R`: the services
 * that it needs.
 */
export interface ResourceTemplate<out R = never> extends Described {
  readonly _tag: "ResourceTemplate"
  readonly uriTemplate: string
  /** What the JSON looks like. */
  readonly schema: Schema.Constraint
  readonly complete: Completions<R>
  /** The JSON text of the resource whose address has these values. Fails where no resource can have them. */
  readonly read: (values: unknown) => Effect.Effect<string, ContentFailure, R>
}

/**
 * Describes a family of resources. `parameters` decodes the values in the address, which arrive as they stand there: take
 * `Schema.StringFromUriComponent` for a text that may be percent-encoded. `content` is encoded with `schema`; it may fail
 * with `NotFound`, and with what `failure` describes.
 */
export const make = <
  A,
  I extends Readonly<Record<string, string>>,
  B,
  J,
  R = never,
  F extends FailureSchema = Schema.Never,
  Complete = {}
>(
  options: Described & {
    readonly uriTemplate: string
    readonly parameters: Schema.Codec<A, I>
    readonly schema: Schema.Codec<B, J>
    readonly failure?: F
    readonly content: (values: A) => Effect.Effect<B, NotFound | F["Type"], R>
    /** What to suggest for a value while a person types. */
    readonly complete?: CompletionsOf<I, Complete>
  }
): ResourceTemplate<R | NeededBy<Complete>> => {
  const { parameters, schema, content, failure, complete = {}, ...described } = options
  const decode = Schema.decodeUnknownEffect(parameters)
  const declared = declaring(failure)
  const encode = Schema.encodeEffect(Schema.fromJsonString(schema))
  return {
    _tag: "ResourceTemplate",
    ...described,
    schema,
    complete,
    read: (values) =>
      Effect.flatMap(decode(values), (decoded) =>
        Effect.flatMap(declared(content(decoded)), (value) => Effect.orDie(encode(value)))
      )
  }
}
