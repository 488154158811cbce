import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Policy } from "../access/Policy.ts"

/**
 * There is nothing of this name or at this address, for this user. Resources, templates and prompts may fail with it
 * without declaring it: the client gets the protocol's answer for that (MCP, resources, error handling).
 */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {
  /** What was looked for, as the client may read it. */
  what: Schema.String
}) {
  override get message(): string {
    return `${this.what} not found`
  }
}

/** A failure that a resource, a template or a prompt declares, with its fields as its schema encodes them. */
export class DeclaredFailure extends Data.TaggedError("DeclaredFailure")<{
  readonly failure: unknown
  readonly encoded: unknown
}> {}

/** Why there is no content: what the client asked for does not fit, is not there, or failed as declared. */
export type ContentFailure = Schema.SchemaError | NotFound | DeclaredFailure

const isNotFound = Schema.is(NotFound)

/** The schema of what content may fail with beside `NotFound`. */
export type FailureSchema = Schema.Codec<unknown, unknown>

/**
 * Sorts what content fails with, for whoever turns it into answers: `NotFound`, and failures of this schema, which are
 * encoded. Made once for each resource, template and prompt.
 */
export const declaring = <F extends FailureSchema>(schema: F | undefined) => {
  const encode = schema && Schema.encodeUnknownEffect(Schema.toCodecJson(schema))
  return <A, R>(content: Effect.Effect<A, NotFound | F["Type"], R>): Effect.Effect<A, ContentFailure, R> =>
    content.pipe(
      Effect.catch((failure): Effect.Effect<never, ContentFailure> => {
        if (isNotFound(failure)) return Effect.fail(failure)
        // Nothing else is in the error channel where no schema was declared.
        if (encode === undefined) return Effect.die(failure)
        return Effect.flatMap(Effect.orDie(encode(failure)), (encoded) =>
          Effect.fail(new DeclaredFailure({ failure, encoded }))
        )
      })
    )
}

/** What the lists of the protocol say of a part, and who may use it. */
export interface Described {
  readonly name: string
  readonly title: string
  readonly description: string
  /** Without a policy that admits somebody, nobody sees it. */
  readonly policy: Policy
}
