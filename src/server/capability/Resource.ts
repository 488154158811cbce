import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Policy } from "../access/Policy.ts"
import { type ContentFailure, declared, type FailureSchema, type NotFound } from "./ContentFailure.ts"

interface Described {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
}

/** A resource at a fixed address. `R`: the services that it needs. */
export interface Resource<out R = never> extends Described {
  readonly _tag: "Resource"
  readonly uri: string
  readonly mediaType: string
  /** The text or the bytes of the resource, read anew each time. */
  readonly read: Effect.Effect<string | Uint8Array, ContentFailure, R>
}

/**
 * A resource that answers with JSON: `content`, encoded with `schema`. It may fail with `NotFound`, and with what
 * `failure` describes. Without a policy that admits somebody, nobody sees it.
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
  return {
    _tag: "Resource",
    ...described,
    mediaType: "application/json",
    read: Effect.flatMap(declared(content, failure), (value) => Effect.orDie(encode(value)))
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
  return { _tag: "Resource", ...described, read: declared(content, failure) }
}
