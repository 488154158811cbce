import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { CurrentUser } from "../access/CurrentUser.ts"
import type { Policy } from "../access/Policy.ts"
import type { CurrentPrincipal } from "../domain/Principal.ts"
import type { Elicitation } from "./Elicitation.ts"

/** What the program behind a resource may ask for. */
type Services = CurrentUser | CurrentPrincipal | Elicitation

interface Described {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
}

/** A resource at a fixed address. */
export interface Resource extends Described {
  readonly uri: string
  readonly mediaType: string
  /** The text or the bytes of the resource, read anew each time. */
  readonly read: Effect.Effect<string | Uint8Array, never, Services>
}

/** A resource that answers with JSON: `content`, encoded with `schema`. Without a policy that admits somebody, nobody sees it. */
export const make = <A, I>(
  options: Described & {
    readonly uri: string
    readonly schema: Schema.Codec<A, I>
    readonly content: Effect.Effect<A, never, Services>
  }
): Resource => {
  const { schema, content, ...described } = options
  const encode = Schema.encodeEffect(Schema.fromJsonString(schema))
  return { ...described, mediaType: "application/json", read: Effect.orDie(Effect.flatMap(content, encode)) }
}

/** A resource that answers with a text or with bytes of any media type. */
export const file = (
  options: Described & {
    readonly uri: string
    readonly mediaType: string
    readonly content: Effect.Effect<string | Uint8Array, never, Services>
  }
): Resource => {
  const { content, ...described } = options
  return { ...described, read: content }
}
