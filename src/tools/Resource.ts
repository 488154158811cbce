import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { CurrentUser } from "../access/CurrentUser.ts"
import type { Policy } from "../access/Policy.ts"
import type { CurrentIdentity } from "../domain/Identity.ts"

/** A resource at a fixed address that answers with JSON. */
export interface Resource {
  readonly uri: string
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
  /** The JSON text of the resource, read anew each time. */
  readonly read: Effect.Effect<string, never, CurrentUser | CurrentIdentity>
}

/** Describes a resource. `content` is encoded with `schema`; without a policy that admits somebody, nobody sees it. */
export const make = <A, I>(options: {
  readonly uri: string
  readonly name: string
  readonly title: string
  readonly description: string
  readonly policy: Policy
  readonly schema: Schema.Codec<A, I>
  readonly content: Effect.Effect<A, never, CurrentUser | CurrentIdentity>
}): Resource => {
  const encode = Schema.encodeEffect(Schema.fromJsonString(options.schema))
  const { schema: _, content, ...described } = options
  return { ...described, read: Effect.orDie(Effect.flatMap(content, encode)) }
}
