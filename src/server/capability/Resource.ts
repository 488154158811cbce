import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { type ContentFailure, declaring, type Described, type FailureSchema, type NotFound } from "./Content.ts"

/** A resource at a fixed address. `R`: the services that it needs. */
export interface Resource<out R = never> extends Described {
  readonly _tag: "Resource"
  readonly uri: string
  readonly mediaType: string
  /** What its JSON looks like, if it is JSON. */
  readonly schema?: Schema.Constraint
  /** The text or the bytes of the resource, read anew each time. */
  readonly read: Effect.Effect<string | Uint8Array, ContentFailure, R>
}

/**
 * A resource that answers with JSON: `content`, encoded with `schema`. It may fail with `NotFound`, and with what
 * `failure` describes.
 */
export const make = <A, I, R = never, F extends FailureSchema = Schema.Never>(
  options: Described & {
    readonly uri: string
    readonly schema: Schema.Codec<A, I>
    readonly failure?: F
    readonly content: Effect.Effect<A, NotFound | F["Type"], R>
  }
): Resource<R> => {
  const { schema, content, failure, ...described } = options
  const encode = Schema.encodeEffect(Schema.fromJsonString(schema))
  const declared = declaring(failure)
  return {
    _tag: "Resource",
    ...described,
    schema,
    mediaType: "application/json",
    read: Effect.flatMap(declared(content), (value) => Effect.orDie(encode(value)))
  }
}

/** A resource that answers with a text or with bytes of any media type. */
export const file = <R = never, F extends FailureSchema = Schema.Never>(
  options: Described & {
    readonly uri: string
    readonly mediaType: string
    readonly failure?: F
    readonly content: Effect.Effect<string | Uint8Array, NotFound | F["Type"], R>
  }
): Resource<R> => {
  const { content, failure, ...described } = options
  return { _tag: "Resource", ...described, read: declaring(failure)(content) }
}
