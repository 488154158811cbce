import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"

const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

/** A reference that a person can read out to an operator: eight letters and digits, none of them easy to mix up. */
export const reference: Effect.Effect<string> = Effect.map(
  Effect.replicateEffect(Random.nextIntBetween(0, alphabet.length, { halfOpen: true }), 8),
  (picks) => picks.map((pick) => alphabet.charAt(pick)).join("")
)

/** A reference that stands for a failure, and whether somebody planned for that. */
export interface Incident {
  readonly reference: string
  readonly planned: boolean
}

/** Hears of each failure of the program that runs, so that a record of it can carry the same reference. */
export const Told = Context.Reference<(incident: Incident) => void>("observability/Incident/Told", {
  defaultValue: () => () => {}
})

/** Where an error came from, without its message, which may repeat what a user sent, over several lines. */
const origin = (error: unknown): { readonly error: string; readonly at: ReadonlyArray<string> } => {
  if (!(error instanceof Error)) return { error: typeof error, at: [] }
  const { message, name, stack = "" } = error
  const frames = stack.slice(stack.indexOf(message) + message.length).match(/^\s+at .*$/gmu) ?? []
  return { error: name, at: frames.slice(0, 8).map((frame) => frame.trim()) }
}

const member = (value: unknown, name: string): unknown => (Predicate.hasProperty(value, name) ? value[name] : undefined)

/** What a failure, or its reason, was caused by in the end; a cause may be a failure with a cause of its own. */
const rootOf = (failure: unknown, depth = 0): unknown => {
  const cause = member(failure, "cause") ?? member(member(failure, "reason"), "cause")
  return cause === undefined || depth > 8 ? undefined : (rootOf(cause, depth + 1) ?? cause)
}

/** What a client is told of an incident. */
export const apology = (reference: string): string =>
  `Something went wrong on the server. If it happens again, report the reference ${reference}.`

/** Logs what nobody planned for, and returns the reference under which it stands in the log. */
export const report = Effect.fnUntraced(function* (what: string, cause: Cause.Cause<unknown>) {
  const id = yield* reference
  const told = yield* Told
  told({ reference: id, planned: false })
  const errors = cause.reasons.flatMap((reason) =>
    Cause.isDieReason(reason) ? [origin(reason.defect)] : Cause.isFailReason(reason) ? [origin(reason.error)] : []
  )
  yield* Effect.logError(what).pipe(Effect.annotateLogs({ reference: id, errors }))
  return id
})

/**
 * Logs a failure that the program knows, and returns the reference under which it stands in the log. Typed failures
 * hold neither secrets nor personal data; the `cause` that some of them wrap is told by its origin only.
 */
export const note = Effect.fnUntraced(function* (what: string, failure: { readonly _tag: string }) {
  const id = yield* reference
  const { _tag, ...details } = { ...failure }
  const known = Object.entries(details).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
  const cause = "cause" in failure ? { cause: origin(failure.cause) } : {}
  yield* Effect.logWarning(what).pipe(
    Effect.annotateLogs({ reference: id, reason: failure._tag, ...Object.fromEntries(known), ...cause })
  )
  return id
})

/**
 * Logs a failure that was declared, by a tool or another program whose values nobody here knows, and returns the
 * reference under which it stands in the log: its tag, that of its reason, and where its cause came from. One without
 * a cause is the person's own, and no warning.
 */
export const declared = Effect.fnUntraced(function* (what: string, failure: unknown) {
  const id = yield* reference
  const told = yield* Told
  told({ reference: id, planned: true })
  const root = rootOf(failure)
  const reason = [failure, member(failure, "reason")].map((one) => member(one, "_tag")).filter(Predicate.isString)
  yield* Effect.annotateLogs(root === undefined ? Effect.logInfo(what) : Effect.logWarning(what), {
    reference: id,
    reason: reason.join("/"),
    ...(root !== undefined && { cause: origin(root) })
  })
  return id
})
