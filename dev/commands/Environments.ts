import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { configFile, readConfigFile, withEnvironment, writeText } from "../wrangler/ConfigFile.ts"
import { type Config, differences, environmentsOf, isConfig, placeOf } from "../wrangler/Environments.ts"
import { readJsonc } from "../wrangler/Jsonc.ts"

class EnvironmentsDiffer extends Schema.TaggedError<EnvironmentsDiffer>()("EnvironmentsDiffer", {
  found: Schema.Array(Schema.String),
  mended: Schema.Boolean
}) {
  override get message(): string {
    const next = this.mended
      ? "Move that to the top level, or remove it."
      : "wrangler inherits none of it. To write what lacks and what differs: npm run environments -- --write"
    return `The environments in ${configFile} differ:\n\n${this.found.map((each) => `  ${each}\n`).join("")}\n${next}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

class EnvironmentMissing extends Schema.TaggedError<EnvironmentMissing>()("EnvironmentMissing", {
  name: Schema.String
}) {
  override get message(): string {
    return `${configFile} has no environment ${this.name}.\nNext: npm run setup -- --env ${this.name}, and commit what it writes into ${configFile}.`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

const mendedText = (text: string, config: Config) =>
  Object.keys(environmentsOf(config)).reduce((made, name) => withEnvironment(made, config, name), text)

/** Compares the environments of `wrangler.jsonc` with its top level, or writes what they lack. */
export const environments = Command.make(
  "environments",
  {
    write: Flag.Boolean("write").pipe(Flag.withDescription("Write what they lack"), Flag.withDefault(false)),
    names: Argument.String("NAME").pipe(
      Argument.withDescription("Environments that have to be there, beside all that are compared"),
      Argument.variadic({})
    )
  },
  Effect.fnUntraced(function* ({ names: wanted, write }) {
    const { config, text } = yield* readConfigFile
    const missing = wanted.find((name) => placeOf(config, name).block === undefined)
    if (missing !== undefined) return yield* new EnvironmentMissing({ name: missing })
    if (write) yield* writeText(configFile, mendedText(text, config))
    const now = write ? readJsonc(mendedText(text, config)) : config
    const found = isConfig(now) ? differences(now) : []
    if (found.length > 0) return yield* new EnvironmentsDiffer({ found, mended: write })
    const names = Object.keys(environmentsOf(config)).join(", ")
    return yield* Console.log(`The environments in ${configFile} have all that its top level has: ${names || "none"}.`)
  })
).pipe(
  Command.withDescription(
    "Compare the environments of wrangler.jsonc with its top level. wrangler inherits neither bindings nor variables into " +
      "an environment, so that they stand there again: this says in a sentence each where one lacks something or has it otherwise."
  ),
  Command.withShortDescription("Compare the environments of wrangler.jsonc, or write what they lack")
)
