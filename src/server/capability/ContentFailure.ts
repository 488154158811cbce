import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

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

/** Tells declared failures from each other by their type in the error channel, for whoever turns them into answers. */
export const declared = <A, F extends FailureSchema, R>(
  content: Effect.Effect<A, NotFound | F["Type"], R>,
  schema: F | undefined
): Effect.Effect<A, ContentFailure, R> =>
  content.pipe(
    Effect.catch((failure): Effect.Effect<never, ContentFailure> => {
      if (isNotFound(failure)) return Effect.fail(failure)
      // Nothing else is in the error channel where no schema was declared.
      if (schema === undefined) return Effect.die(failure)
      return Effect.flatMap(Effect.orDie(Schema.encodeUnknownEffect(Schema.toCodecJson(schema))(failure)), (encoded) =>
        Effect.fail(new DeclaredFailure({ failure, encoded }))
      )
    })
  )
