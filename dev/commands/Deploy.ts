import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

import { Origin } from "../../src/server/config/AppConfig.ts"
import { reach } from "../doctor/Reach.ts"
import { targetOf } from "../doctor/Target.ts"
import { Stopped } from "../Stopped.ts"
import { configFile, readConfigFile } from "../wrangler/ConfigFile.ts"
import { environmentsOf, partOf, placeOf } from "../wrangler/Environments.ts"
import { examined } from "./Doctor.ts"
import { weighed } from "./Size.ts"

/** Runs a command of this folder, whose output is for the person. */
const run = Effect.fnUntraced(function* (command: string, parameters: ReadonlyArray<string>, next: string) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const child = yield* spawner.spawn(
    ChildProcess.make(command, parameters, { stdin: "inherit", stdout: "inherit", stderr: "inherit" })
  )
  const code = yield* child.exitCode
  if (code !== 0) return yield* new Stopped({ problem: `${[command, ...parameters].join(" ")} failed.`, next })
}, Effect.scoped)

const decodeManifest = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ scripts: Schema.Record(Schema.String, Schema.String) }))
)

/** The repository's own check, where it has one. */
const check = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const text = yield* Effect.option(files.readFileString("package.json"))
  const manifest = Option.getOrUndefined(Option.flatMap(text, decodeManifest))
  if (manifest?.scripts["check"] === undefined) {
    return yield* Console.log("There is no script check in package.json: nothing is checked.")
  }
  return yield* run("npm", ["run", "check"], "mend what it names, or deploy without it: --no-check.")
})

const decodeOrigin = Schema.decodeUnknownOption(Origin)

/** Where the environment stands in `wrangler.jsonc`, and the address that people connect to there. */
const destination = Effect.fnUntraced(function* (environment: string) {
  const { config } = yield* readConfigFile
  const setup = `run npm run setup -- --env ${environment}, which writes it.`
  const place = placeOf(config, environment)
  if (place.block === undefined) {
    const known = ["production", ...Object.keys(environmentsOf(config))].join(", ")
    const problem = `${configFile} has no environment ${environment}, but ${known}.`
    return yield* new Stopped({ problem, next: `name one of them, or ${setup}` })
  }
  const publicUrl = Option.getOrUndefined(decodeOrigin(partOf(place.block["vars"])["PUBLIC_URL"]))
  if (publicUrl === undefined) {
    const problem = `PUBLIC_URL of ${environment} in ${configFile} is not the address of a server.`
    return yield* new Stopped({ problem, next: setup })
  }
  return { flag: place.flag, publicUrl }
})

/** A new version is everywhere within seconds, and a new address within a minute or two. */
const untilThere = (url: URL) =>
  Effect.repeat(reach(targetOf(url)), {
    schedule: Schedule.spaced("3 seconds"),
    until: ({ findings, stop }) => !stop || !findings.some(({ id }) => id === "no-answer" || id === "another-server"),
    times: 30
  })

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`

/** Checks, weighs, deploys and examines the server of this folder. */
export const deploy = Command.make(
  "deploy",
  {
    environment: Flag.String("env").pipe(
      Flag.withDescription("The environment of wrangler.jsonc; its top level unless one is named"),
      Flag.withDefault("production")
    ),
    message: Flag.String("message").pipe(
      Flag.withDescription("What the new version is, for Cloudflare's list of versions"),
      Flag.optional
    ),
    check: Flag.Boolean("check").pipe(Flag.withDescription("Run npm run check first"), Flag.withDefault(true)),
    doctor: Flag.Boolean("doctor").pipe(Flag.withDescription("Run doctor afterwards"), Flag.withDefault(true))
  },
  Effect.fnUntraced(function* (wanted) {
    const { flag, publicUrl } = yield* destination(wanted.environment)
    if (wanted.check) yield* check
    const { gzip, printed, raw } = yield* Effect.catchTag(weighed([], flag), "BuildFailed", ({ message }) =>
      Effect.fail(new Stopped({ problem: message, next: "mend what wrangler names." }))
    )
    yield* Console.log(
      `The Worker is ${kib(raw)}, ${kib(gzip)} gzipped (${printed}). Cloudflare takes 3 MiB gzipped on the free plan, 10 MiB on a paid one.`
    )
    const message = Option.match(wanted.message, { onNone: () => [], onSome: (text) => [`--message=${text}`] })
    yield* run(
      "wrangler",
      ["deploy", `--env=${flag}`, "--minify", "--upload-source-maps", ...message],
      "mend what wrangler names, and deploy again. Where it says Uploaded, the new version runs already."
    )
    if (!wanted.doctor) return
    yield* Console.log(`\nDeployed. Doctor looks at ${publicUrl.origin}:\n`)
    yield* untilThere(publicUrl)
    yield* Effect.catchTag(examined(publicUrl, false), "Unhealthy", (failure) => {
      const next = `mend it and deploy again, or go back to the version before: npx wrangler rollback --env="${flag}"`
      return Effect.fail(new Stopped({ problem: `The new version is deployed. ${failure.message}`, next }))
    })
  })
).pipe(
  Command.withDescription(
    "Run npm run check, build and weigh the Worker, deploy it with its source maps by wrangler, and have doctor look at " +
      "the deployed address. Fails at the first of them that fails."
  ),
  Command.withShortDescription("Check, deploy and examine the server of this folder")
)
