import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"

import { ProblemDetails } from "./ProblemDetails.ts"

/** The connection cannot act in the app: it was made without a session, or the session has ended. */
class SignInNeeded extends Schema.TaggedError<SignInNeeded>()("SignInNeeded", { ended: Schema.Boolean }) {
  override get message(): string {
    const further = this.ended ? "" : " If that does not help, its operator has to look into it."
    return `This connection has no living session in the app. Connect again to sign in.${further}`
  }
}

/** The app has another organization open than the connection is for, and Clerk gives tokens for the open one only. */
class OtherOrganization extends Schema.TaggedError<OtherOrganization>()("OtherOrganization", {
  /** Whether the connection is for the personal account. */
  personal: Schema.Boolean
}) {
  override get message(): string {
    return this.personal
      ? "An organization is open in the app, and this connection is for your personal account. Switch to the personal account in the app and try again."
      : "Another organization is open in the app than this connection is for. Switch the organization in the app and try again, or connect again and choose the one that is open."
  }
}

/** The app, or Clerk, which vouches for the user there, does not answer now. */
class AppUnavailable extends Schema.TaggedError<AppUnavailable>()("AppUnavailable", {
  problem: Schema.Literals([
    "no answer",
    "no answer in time",
    "too many requests",
    "an error",
    "still at work on it",
    "no token from Clerk"
  ]),
  status: Schema.optionalKey(Schema.Int),
  /** What the app said of when to ask again (RFC 9110, section 10.2.3). */
  retryAfterSeconds: Schema.optionalKey(Schema.Finite),
  /** Of a write that the app may have carried out, although nobody heard of it. */
  mayHaveHappened: Schema.optionalKey(Schema.Boolean)
}) {
  override get message(): string {
    const further =
      this.mayHaveHappened === true
        ? "What you asked for may have happened all the same: look before you try again."
        : "Please try again in a moment."
    return `The app cannot be reached right now (${this.problem}). ${further}`
  }
}

/** The app answers this user 403. */
export class AppForbidden extends Schema.TaggedError<AppForbidden>()("AppForbidden", {}) {
  override readonly message = "The app does not allow you to do this."
}

/** Left out where the failure is encoded: what an app says to this server is not meant for whoever calls a tool. */
const ForTheTool = Schema.optionalKey(ProblemDetails).pipe(
  Schema.encodeTo(Schema.optionalKey(Schema.Never), {
    decode: SchemaGetter.passthrough(),
    encode: SchemaGetter.omit()
  })
)

/**
 * The app did not do it, and says why by its status: to a write by any other of 400 to 499, to a read by one with problem
 * details. What to make of them is for the tool to say.
 */
export class AppRefused extends Schema.TaggedError<AppRefused>()("AppRefused", {
  status: Schema.Int,
  problem: ForTheTool
}) {
  override get message(): string {
    return `The app did not do this (status ${this.status}).`
  }
}

/** The app and this server do not fit together: an operator has to look. `problem` says where. */
class AppUnexpected extends Schema.TaggedError<AppUnexpected>()("AppUnexpected", { problem: Schema.String }) {
  override get message(): string {
    return `The app did not answer as this server expects (${this.problem}). Its operator has to look into it.`
  }
}

/** Why the app did not do what it was asked. `message` is for the person who asked; it repeats nothing of the answer. */
export class AppApiError extends Schema.TaggedError<AppApiError>()("AppApiError", {
  reason: Schema.Union([SignInNeeded, OtherOrganization, AppUnavailable, AppForbidden, AppRefused, AppUnexpected])
}) {
  override get message(): string {
    return this.reason.message
  }
}

export const signInNeeded = (ended: boolean) => new AppApiError({ reason: new SignInNeeded({ ended }) })

export const otherOrganization = (personal: boolean) => new AppApiError({ reason: new OtherOrganization({ personal }) })

export const unavailable = (
  problem: AppUnavailable["problem"],
  more: { status?: number; retryAfterSeconds?: number } = {}
) => new AppApiError({ reason: new AppUnavailable({ problem, ...more }) })

export const unexpected = (problem: string) => new AppApiError({ reason: new AppUnexpected({ problem }) })

const outcomeUnknown = ({ problem, status, retryAfterSeconds }: AppUnavailable) =>
  new AppUnavailable({
    problem,
    ...(status !== undefined && { status }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    mayHaveHappened: true
  })

/** The same, of a write that may have been carried out. */
export const unsettled = (error: AppApiError): AppApiError =>
  error.reason._tag === "AppUnavailable" ? new AppApiError({ reason: outcomeUnknown(error.reason) }) : error

/** What an operator has to see. The other reasons are the person's own, and the tool's. */
export const log = ({ reason }: AppApiError) =>
  reason._tag === "AppUnavailable" || reason._tag === "AppUnexpected"
    ? Effect.annotateLogs(Effect.logWarning("The app did not answer as it should"), { problem: reason.problem })
    : Effect.void
