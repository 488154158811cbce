import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"

/** What an app says of why it refused (RFC 9457, section 3.1): for the tool, and never for the log. */
export const ProblemDetails = Schema.Struct({
  /** Identifies the kind of problem. */
  type: Schema.String,
  title: Schema.optionalKey(Schema.String),
  detail: Schema.optionalKey(Schema.String),
  instance: Schema.optionalKey(Schema.String),
  /** Members that the kind of problem brings (section 3.2). */
  extensions: Schema.Record(Schema.String, Schema.Json)
})
export type ProblemDetails = typeof ProblemDetails.Type

const decode = Schema.decodeOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)))

/** Reads a document of the type `application/problem+json`. A member of another type than it should have counts as none. */
export const read = (text: string): ProblemDetails | undefined =>
  Option.getOrUndefined(
    Option.map(decode(text), ({ type, title, detail, instance, status: _, ...extensions }) => ({
      // Section 4.2.1.
      type: Predicate.isString(type) ? type : "about:blank",
      ...Record.filter({ title, detail, instance }, Predicate.isString),
      extensions
    }))
  )
