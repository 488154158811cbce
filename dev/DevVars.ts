import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { parseEnv } from "node:util"

type Settings = Readonly<Record<string, string>>

/** The files that wrangler knows for the environment `local`: it reads the first one that there is. */
const candidates = [".dev.vars.local", ".dev.vars"]

/** Where the server runs and how people sign in, which `clerk-mcp start` decides by itself. */
export const decidedByTheRun = ["PUBLIC_URL", "SIGN_IN", "APP_URL", "STATE_SIGNING_KEYS"]

/** Everything in the `.dev.vars` of `folder`, and the name of the file. */
export const devVars = Effect.fnUntraced(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const [file] = yield* Effect.filter(candidates, (name) => files.exists(join(folder, name)))
  return { file, entries: file === undefined ? {} : parseEnv(yield* files.readFileString(join(folder, file))) }
})

/**
 * The team's own settings and secrets from the `.dev.vars` of `folder`, and the name of the file. What belongs to a real
 * Clerk instance stays out, and so does all that the run decides: the server runs on the stand-in.
 */
export const ownSettings = Effect.fnUntraced(function* (folder: string) {
  const { file, entries } = yield* devVars(folder)
  const settings: Settings = Object.fromEntries(
    Object.entries(entries).flatMap(([name, value]) =>
      value === undefined || name.startsWith("CLERK_") || decidedByTheRun.includes(name) ? [] : [[name, value]]
    )
  )
  return { file, settings }
})

/** The first kind of quotes that the value does not contain; between the last kind, `\n` would become a line break. */
const quote = (value: string): string => ["'", "`", '"'].find((mark) => !value.includes(mark)) ?? ""

/** Settings as a file for wrangler's `--env-file`, which replaces `$NAME` in values where no backslash is before it. */
export const envFile = (settings: Settings): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${quote(value)}${value.replaceAll("$", "\\$")}${quote(value)}\n`)
    .join("")
