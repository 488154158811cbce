import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import { secretNames, storeSecrets } from "./Cloudflare.ts"
import { readLocal, requireIgnored, writeLocal } from "./LocalSecrets.ts"

export type Secrets = Readonly<Record<string, Redacted.Redacted>>

/** Where the secrets of an environment are: in `.dev.vars` for work on a laptop, else at Cloudflare, which tells names only. */
const storedIn = (flag: string) =>
  flag === "local"
    ? Effect.gen(function* () {
        const { entries, file } = yield* readLocal
        yield* requireIgnored(file)
        const set = Object.entries(entries).filter(([, value]) => value !== "")
        return {
          names: new Set(set.map(([name]) => name)),
          values: new Map(set.map(([name, value]) => [name, Redacted.make(value)])),
          place: file,
          store: (secrets: Secrets) =>
            Effect.asVoid(
              writeLocal(
                file,
                Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, Redacted.value(value)]))
              )
            )
        }
      })
    : Effect.map(secretNames(flag), (names) => ({
        names: new Set(names),
        values: new Map<string, Redacted.Redacted>(),
        place: "Cloudflare",
        store: (secrets: Secrets) => storeSecrets(flag, secrets)
      }))

/** A note beside the server that a client secret was made which is not stored yet, so that a later setup may replace it. */
const noteOf = Effect.fnUntraced(function* (environment: string) {
  const files = yield* FileSystem.FileSystem
  const path = `.wrangler/setup-${environment}.txt`
  return {
    there: yield* files.exists(path),
    leave: Effect.orDie(
      Effect.andThen(
        files.makeDirectory(".wrangler", { recursive: true }),
        files.writeFileString(path, "Setup made a client secret that is not stored yet. It removes this file.\n")
      )
    ),
    remove: Effect.ignore(files.remove(path))
  }
})

/** The secrets of an environment: which there are, how more are stored, and whether an earlier setup lost one. */
export const secretStore = Effect.fnUntraced(function* (environment: string, flag: string) {
  return { ...(yield* storedIn(flag)), unfinished: yield* noteOf(environment) }
})
