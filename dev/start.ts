import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as FileSystem from "effect/FileSystem"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { ClerkStandIn } from "./clerk/ClerkStandIn.ts"
import { demoOptions } from "./clerk/StandInOptions.ts"

class WorkerStopped extends Schema.TaggedError<WorkerStopped>()("WorkerStopped", {
  exitCode: Schema.Finite,
  output: Schema.String
}) {
  override get message(): string {
    return `The Worker stopped with exit code ${this.exitCode}.\n${this.output}`
  }
}

/** Settings of the Worker for this run. A file, because secrets do not belong on a command line. */
const settingsFile = Effect.fnUntraced(function* (settings: Readonly<Record<string, string>>) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped({ prefix: "mcp-worker-" })
  const path = `${directory}/settings.env`
  const lines = Object.entries(settings).map(([name, value]) => `${name}="${value}"\n`)
  yield* files.writeFileString(path, lines.join(""), { mode: 0o600 })
  return path
})

const signingKey = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  return `local:${Base64.encode(yield* random.randomBytes(32))}`
})

/** Runs the Worker as long as the scope lives, and waits until it answers. */
const startWorker = Effect.fnUntraced(function* (
  url: string,
  port: number,
  settings: Readonly<Record<string, string>>
) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const http = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
  const worker = yield* spawner.spawn(
    ChildProcess.make(
      "wrangler",
      [
        "dev",
        "--env=local",
        `--env-file=${yield* settingsFile(settings)}`,
        `--port=${port}`,
        "--show-interactive-dev-session=false"
      ],
      { stdin: "ignore" }
    )
  )
  // What wrangler says while it starts matters only if it does not.
  let whileStarting: Array<string> | undefined = []
  yield* worker.all.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) =>
      whileStarting === undefined ? Console.log(line) : Effect.sync(() => whileStarting?.push(line))
    ),
    Effect.forkScoped
  )
  const stopped = Effect.flatMap(
    worker.exitCode,
    (exitCode) => new WorkerStopped({ exitCode, output: whileStarting?.join("\n") ?? "" })
  )
  const answers = http.get(`${url}/health`).pipe(Effect.retry(Schedule.spaced("200 millis")))
  yield* Effect.raceFirst(answers, stopped)
  whileStarting = undefined
  return { stopped }
})

const guide = (url: string, clerk: ClerkStandIn["Service"]) => `
  MCP server     ${url}/mcp
  Clerk stand-in ${clerk.url}

  Sign in as     ${Object.values(clerk.users)
    .map(({ email }) => email)
    .join("\n                 ")}

  Try it         npm run inspect
                 claude mcp add --transport http example ${url}/mcp

  Ctrl-C stops both.
`

const start = Command.make(
  "start",
  {
    port: Flag.Int("port").pipe(Flag.withDescription("Port of the Worker"), Flag.withDefault(8788)),
    clerkPort: Flag.Int("clerk-port").pipe(
      Flag.withDescription("Port of the Clerk stand-in"),
      Flag.withDefault(demoOptions.port)
    )
  },
  Effect.fnUntraced(function* ({ port, clerkPort }) {
    const url = `http://localhost:${port}`
    const standIn = ClerkStandIn.layer({ port: clerkPort, redirectUris: [`${url}/callback`] })
    return yield* Effect.gen(function* () {
      const clerk = yield* ClerkStandIn
      const worker = yield* startWorker(url, port, {
        ...clerk.settings,
        PUBLIC_URL: url,
        STATE_SIGNING_KEYS: yield* signingKey
      })
      yield* Console.log(guide(url, clerk))
      return yield* worker.stopped
    }).pipe(Effect.provide(standIn))
  }, Effect.scoped)
).pipe(Command.withDescription("Run the MCP server and the Clerk stand-in on this machine"))

Command.run(start, { version: "0.1.0" }).pipe(
  Effect.provide([NodeServices.layer, FetchHttpClient.layer, SecureRandom.layerWebCrypto]),
  NodeRuntime.runMain
)
