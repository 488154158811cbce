import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const Subject = Schema.Literals(["user", "session", "organization", "membership", "role", "permission"])

/** A hook was pointed at something that does not exist. */
export class UnknownSubject extends Schema.TaggedError<UnknownSubject>()("UnknownSubject", {
  what: Subject,
  id: Schema.String
}) {}

/** A hook was asked for something that Clerk would not allow either. */
export class HookRefused extends Schema.TaggedError<HookRefused>()("HookRefused", {
  parameter: Schema.String,
  explanation: Schema.String
}) {}

/** What was found, or that there is none of this name. */
export const orUnknown = <A>(
  found: Option.Option<A>,
  what: typeof Subject.Type,
  id: string
): Effect.Effect<A, UnknownSubject> =>
  Option.match(found, { onNone: () => Effect.fail(new UnknownSubject({ what, id })), onSome: Effect.succeed })
