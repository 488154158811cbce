import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { type Config, derived, environmentsOf, isConfig } from "./Environments.ts"
import { readJsonc, setJsonc } from "./Jsonc.ts"

export const configFile = "wrangler.jsonc"

/** The configuration of the server of this folder cannot be read. */
class ConfigUnreadable extends Schema.TaggedError<ConfigUnreadable>()("ConfigUnreadable", {
  missing: Schema.Boolean
}) {
  override get message(): string {
    return this.missing
      ? `${configFile} is not here. Next: run this in the folder of your server.`
      : `${configFile} is no JSON with comments. Next: mend it; an editor marks the place.`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

/** The text of `wrangler.jsonc` and what it says. */
export const readConfigFile = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  if (!(yield* files.exists(configFile))) return yield* new ConfigUnreadable({ missing: true })
  const text = yield* files.readFileString(configFile)
  const config = readJsonc(text)
  return isConfig(config) ? { text, config } : yield* new ConfigUnreadable({ missing: false })
})

/** Writes the file, if the text differs from what it holds. A reader sees the old text or the new one, never a part. */
export const writeText = Effect.fnUntraced(function* (path: string, text: string, mode?: number) {
  const files = yield* FileSystem.FileSystem
  const present = (yield* files.exists(path)) ? yield* files.readFileString(path) : undefined
  if (present === text) return false
  yield* files.makeDirectory(".wrangler", { recursive: true })
  const folder = yield* files.makeTempDirectoryScoped({ directory: ".wrangler", prefix: "write-" })
  yield* files.writeFileString(`${folder}/text`, text, mode === undefined ? {} : { mode })
  yield* files.rename(`${folder}/text`, path)
  return true
}, Effect.scoped)

/** The text with an environment as the top level wants it. */
export const withEnvironment = (text: string, config: Config, name: string): string => {
  const present = environmentsOf(config)[name]
  const wanted = derived(config, name)
  if (present === undefined) return setJsonc(text, ["env", name], wanted)
  return Object.entries(wanted).reduce((made, [kind, value]) => setKind(made, name, kind, value), text)
}

/** Variable by variable, so that the comments between them stay. */
const setKind = (text: string, name: string, kind: string, value: Schema.Json): string =>
  kind === "vars" && isConfig(value)
    ? Object.entries(value).reduce((made, [variable, its]) => setJsonc(made, ["env", name, kind, variable], its), text)
    : setJsonc(text, ["env", name, kind], value)
