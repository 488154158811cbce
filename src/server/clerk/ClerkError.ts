import * as Schema from "effect/Schema"

/**
 * Clerk cannot answer now: network, timeout, 429 or 5xx. `code` is Clerk's, or the SDK's where no answer came;
 * `retryAfter` is in seconds, where Clerk named it.
 */
export class ClerkUnavailable extends Schema.TaggedError<ClerkUnavailable>()("ClerkUnavailable", {
  operation: Schema.String,
  status: Schema.optionalKey(Schema.Int),
  code: Schema.optionalKey(Schema.String),
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {}

/** Clerk refuses the Worker's own credentials, or what they ask for: the operator has to correct the settings. */
export class ClerkMisconfigured extends Schema.TaggedError<ClerkMisconfigured>()("ClerkMisconfigured", {
  operation: Schema.String,
  status: Schema.optionalKey(Schema.Int),
  code: Schema.optionalKey(Schema.String)
}) {}

/** Clerk's answer is none that this server knows what to do with. `code` is Clerk's. Asking again does not help. */
export class ClerkUnexpected extends Schema.TaggedError<ClerkUnexpected>()("ClerkUnexpected", {
  operation: Schema.String,
  detail: Schema.String,
  code: Schema.optionalKey(Schema.String)
}) {}

/** There is no such user, or no longer. */
export class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", {}) {}

/** The person signed out, or somebody ended the session; it does not come back. */
export class ClerkSessionEnded extends Schema.TaggedError<ClerkSessionEnded>()("ClerkSessionEnded", {}) {
  override readonly message = "Your session has ended. Please sign in again."
}

/** What can go wrong between the Worker and Clerk's Backend API. Carries no secret and nothing about the user. */
export class ClerkError extends Schema.TaggedError<ClerkError>()("ClerkError", {
  reason: Schema.Union([ClerkUnavailable, ClerkMisconfigured, ClerkUnexpected, UserNotFound, ClerkSessionEnded])
}) {}
