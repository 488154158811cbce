import * as Config from "effect/Config"
import * as CliError from "effect/cli/CliError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { parseEnv } from "node:util"

import { SigningKeys } from "../src/server/config/SigningKeys.ts"
import { StateSigner } from "../src/server/oauth/StateSigner.ts"
import { devVars, envFile } from "./DevVars.ts"

/** Where servers of `clerk-mcp start` leave their key while they run. */
const folder = ".wrangler"
const isOfStart = (name: string): boolean => /^start-\d+\.env$/u.test(name)

class NoKeys extends Schema.TaggedError<NoKeys>()("NoKeys", { malformed: Schema.Boolean }) {
  override get message(): string {
    return this.malformed
      ? "STATE_SIGNING_KEYS is malformed: one or more id:base64 entries, comma-separated."
      : "This machine has no key of that server: set STATE_SIGNING_KEYS in the environment or in .dev.vars."
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

/** Leaves the keys of a server on this machine for other commands, while the scope lives. */
export const leaveKeys = Effect.fnUntraced(function* (port: number, url: string, keys: string) {
  const files = yield* FileSystem.FileSystem
  const path = join(folder, `start-${port}.env`)
  yield* files.makeDirectory(folder, { recursive: true })
  yield* Effect.acquireRelease(
    files.writeFileString(path, envFile({ PUBLIC_URL: url, STATE_SIGNING_KEYS: keys }), { mode: 0o600 }),
    () => Effect.ignore(files.remove(path))
  )
})

const decodeKeys = Schema.decodeUnknownEffect(SigningKeys)

/**
 * The keys of the server at `url`: those that `clerk-mcp start` left, if it runs there, else STATE_SIGNING_KEYS of the
 * environment or of `.dev.vars`.
 */
export const keysOf = Effect.fnUntraced(function* (url: string) {
  const files = yield* FileSystem.FileSystem
  const names = yield* Effect.orElseSucceed(files.readDirectory(folder), (): ReadonlyArray<string> => [])
  const running = yield* Effect.forEach(names.filter(isOfStart), (name) =>
    Effect.map(files.readFileString(join(folder, name)), parseEnv)
  )
  const left = running.find(({ PUBLIC_URL: at }) => at === url)?.["STATE_SIGNING_KEYS"]
  const set = Option.filter(yield* Config.option(Config.String("STATE_SIGNING_KEYS")), (text) => text !== "")
  const keys = left ?? Option.getOrUndefined(set) ?? (yield* devVars(".")).entries["STATE_SIGNING_KEYS"]
  if (keys === undefined || keys === "") return yield* new NoKeys({ malformed: false })
  return yield* Effect.mapError(decodeKeys(keys), () => new NoKeys({ malformed: true }))
})

/** How long an operator's token is good, which is one request. */
const lifetime = Duration.seconds(60)

/** What tells the server at `url` that whoever asks holds its keys. */
export const operatorToken = (keys: typeof SigningKeys.Type, url: string) =>
  Effect.flatMap(StateSigner, ({ sign }) => sign("operator", url, lifetime)).pipe(
    Effect.provide(StateSigner.layerOf(keys))
  )
