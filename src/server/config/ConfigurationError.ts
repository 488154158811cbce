import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

/** A struct of settings, whose fields carry the words for what is missing. */
export type Declared<A> = Schema.Decoder<A> & { readonly fields: Readonly<Record<string, Schema.Constraint>> }

/** One setting that is missing or malformed. Holds its name and what it should be, never its value. */
const SettingProblem = Schema.Struct({
  name: Schema.String,
  problem: Schema.Literals(["missing", "malformed"]),
  expected: Schema.String
})
type SettingProblem = typeof SettingProblem.Type

/** The Worker cannot serve: names every setting that is missing or malformed, all at once. */
export class ConfigurationError extends Schema.TaggedError<ConfigurationError>()("ConfigurationError", {
  problems: Schema.Array(SettingProblem)
}) {
  override get message(): string {
    return this.problems.map(({ name, problem, expected }) => `${name} is ${problem}: ${expected}`).join("; ")
  }
}

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** What is set: `wrangler` hands an unset variable over as an empty string. */
export const present = (env: Readonly<Record<string, unknown>>) =>
  Record.filter(env, (value) => value !== "" && value !== undefined)

/** Decodes what is there with a schema whose fields carry the words for what is not. */
export const decodeFields = <A>(
  set: Readonly<Record<string, unknown>>,
  schema: Declared<A>
): Effect.Effect<A, ConfigurationError> =>
  Schema.decodeUnknownEffect(schema)(set, { errors: "all" }).pipe(
    Effect.mapError((error) => {
      const faulty = new Set(issuesOf(error.issue).issues.map((issue) => issue.path?.[0]))
      const problems = Object.entries(schema.fields)
        .filter(([name]) => faulty.has(name))
        .map(([name, field]): SettingProblem => ({
          name,
          problem: name in set ? "malformed" : "missing",
          expected: Schema.resolveAnnotations(field)?.description ?? name
        }))
      return new ConfigurationError({ problems })
    })
  )
