import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Schema from "effect/Schema"
import { Stopped } from "../Stopped.ts"
import { type Config, derived, environmentsOf, isConfig } from "./Environments.ts"
import { readJsonc, setJsonc } from "./Jsonc.ts"

export const configFile = "wrangler.jsonc"

const missing = new Stopped({ problem: `${configFile} is not here.`, next: "run this in the folder of your server." })

const unreadable = new Stopped({
  problem: `${configFile} is no JSON with comments.`,
  next: "mend it (an editor marks the place) and run this again."
})

/** The text of `wrangler.jsonc` and what it says. */
export const readConfigFile = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  if (!(yield* files.exists(configFile))) return yield* missing
  const text = yield* files.readFileString(configFile)
  const config = readJsonc(text)
  return isConfig(config) ? { text, config } : yield* unreadable
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
