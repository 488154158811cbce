import * as CliError from "effect/cli/CliError"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as FileSystem from "effect/FileSystem"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as ChildProcess from "effect/process/ChildProcess"
import * as Schema from "effect/Schema"
import { envFile } from "./DevVars.ts"
import { startProcess } from "./LocalProcess.ts"

/** Settings of the Worker for this run. A file, because secrets do not belong on a command line. */
const settingsFile = Effect.fnUntraced(function* (settings: Readonly<Record<string, string>>) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped({ prefix: "mcp-worker-" })
  const path = `${directory}/settings.env`
  yield* files.writeFileString(path, envFile(settings), { mode: 0o600 })
  return path
})

/** A key ring for one run. */
export const signingKey = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  return `local:${Base64.encode(yield* random.randomBytes(32))}`
})

/** The secret of Clerk's webhooks for this run, as Clerk makes them. */
export const webhookSecret = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  return `whsec_${Base64.encode(yield* random.randomBytes(24))}`
})

/** The Worker runs, and serves nothing but what is wrong with its settings or its definition. */
export class NotSetUp extends Schema.TaggedError<NotSetUp>()("NotSetUp", { message: Schema.String }) {
  override get [CliError.userMessage](): string {
    return this.message
  }
}

/** What keeps the Worker from serving, if something does. Fails while it does not answer. */
const whatIsWrong = Effect.fnUntraced(function* (url: string) {
  const response = yield* HttpClient.get(`${url}/health`, { accept: "text/plain" })
  const text = yield* response.text
  if (response.status === 500 && text.startsWith("This server is not set up yet")) return text
  yield* HttpClientResponse.filterStatusOk(response)
  return undefined
})

export interface LocalWorkerOptions {
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
  /** Another entry than the one that ships. */
  readonly entry?: string
  /** Where the Worker's storage lives, if not where it stays from run to run. */
  readonly storage?: string
  /** Whether the Worker runs beside others, without a debugger and without printing its log. */
  readonly quiet?: boolean
}

/** Runs the Worker on this machine as long as the scope lives, and waits until it answers. */
export const startWorker = Effect.fnUntraced(function* (options: LocalWorkerOptions) {
  const { port, entry, storage, quiet = false } = options
  const url = `http://localhost:${port}`
  const settings = { PUBLIC_URL: url, STATE_SIGNING_KEYS: yield* signingKey, ...options.settings }
  const { protocol } = new URL(settings.PUBLIC_URL)
  const { answer, stopped } = yield* startProcess({
    name: "The Worker",
    command: ChildProcess.make(
      "wrangler",
      [
        "dev",
        ...(entry === undefined ? [] : [entry]),
        "--env=local",
        `--env-file=${yield* settingsFile(settings)}`,
        `--port=${port}`,
        // A tunnel takes https and hands http on: at Cloudflare, too, the Worker sees the address that people see.
        `--upstream-protocol=${protocol.slice(0, -1)}`,
        ...(quiet ? ["--inspector-port=0"] : []),
        ...(storage === undefined ? [] : [`--persist-to=${storage}`]),
        "--show-interactive-dev-session=false"
      ],
      // The bundler writes NODE_ENV into the Worker, and Clerk's SDK behaves differently under "test".
      { stdin: "ignore", env: { NODE_ENV: "development" }, extendEnv: true }
    ),
    answers: whatIsWrong(url),
    worthPrinting: (line) => !quiet && !line.includes(" /health ")
  })
  if (answer !== undefined) return yield* new NotSetUp({ message: answer })
  return { url, stopped }
})
