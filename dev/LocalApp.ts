import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpClient from "effect/http/HttpClient"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import process from "node:process"
import type { ClerkStandIn } from "./clerk/ClerkStandIn.ts"
import { startProcess } from "./LocalProcess.ts"

export class AppNotBuilt extends Schema.TaggedError<AppNotBuilt>()("AppNotBuilt", { output: Schema.String }) {
  override get message(): string {
    return `The example application could not be built.\n${this.output}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

/** The folder of the example application, which the packed library does not have. */
export const exampleApp = join(import.meta.dirname, "../examples/react-router")
const packages = createRequire(join(exampleApp, "package.json"))
const cli = (name: string): string => join(dirname(packages.resolve(`${name}/package.json`)), "bin.js")

/** One of the application's command-line tools, with the Node that runs this. */
const tool = (name: string, parameters: ReadonlyArray<string>, env: Readonly<Record<string, string>>) =>
  ChildProcess.make(process.execPath, [cli(name), ...parameters], {
    cwd: exampleApp,
    stdin: "ignore",
    env: { ...env, NODE_ENV: "production" },
    extendEnv: true
  })

/** Builds into a folder of its own, so that two builds at once do not meet, and removes it with the scope. */
const build = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  yield* files.makeDirectory(join(exampleApp, "build"), { recursive: true })
  const directory = yield* files.makeTempDirectoryScoped({ directory: join(exampleApp, "build"), prefix: "local-" })
  const child = yield* spawner.spawn(tool("@react-router/dev", ["build"], { BUILD_DIRECTORY: directory }))
  const output = yield* Stream.mkString(Stream.decodeText(child.all))
  const exitCode = yield* child.exitCode
  return exitCode === 0 ? directory : yield* new AppNotBuilt({ output })
})

/** Where the example application finds Clerk when Clerk is the stand-in. */
export const appSettings = (clerk: ClerkStandIn["Service"]): Readonly<Record<string, string>> => {
  const { CLERK_API_URL, CLERK_FRONTEND_API, CLERK_PUBLISHABLE_KEY, CLERK_SECRET_KEY } = clerk.settings
  return {
    CLERK_API_URL,
    CLERK_FRONTEND_API,
    CLERK_PUBLISHABLE_KEY,
    CLERK_SECRET_KEY,
    CLERK_SIGN_IN_URL: `${clerk.url}/sign-in`
  }
}

export interface LocalAppOptions {
  readonly port: number
  /** Not the Worker's host name, so that the two are two sites, as they are in production. */
  readonly host?: "127.0.0.1" | "localhost"
  readonly mcpServerUrl: string
  readonly clerk: ClerkStandIn["Service"]
  /** Whether to drop the application's log. */
  readonly quiet?: boolean
}

/** Runs an application's server as long as the scope lives, and waits until it answers. */
export const serveApp = Effect.fnUntraced(function* (
  options: LocalAppOptions,
  server: (env: Readonly<Record<string, string>>) => ChildProcess.Command
) {
  const { port, host = "127.0.0.1", mcpServerUrl, clerk, quiet = false } = options
  const url = `http://${host}:${port}`
  const http = yield* HttpClient.HttpClient
  const { stopped } = yield* startProcess({
    name: "The example application",
    command: server({
      ...appSettings(clerk),
      HOST: host,
      PORT: String(port),
      APP_URL: url,
      MCP_SERVER_URL: mcpServerUrl
    }),
    answers: http.get(`${url}/api/me`).pipe(Effect.filterOrFail(({ status }) => status === 401)),
    // An access log has addresses in it, and these have states and handshakes in them.
    worthPrinting: (line) => !quiet && !/^[A-Z]+ \//.test(line)
  })
  return { url, stopped }
})

/** Builds the React Router example and runs it as long as the scope lives. Waits until it answers. */
export const startApp = Effect.fnUntraced(function* (options: LocalAppOptions) {
  const directory = yield* build
  return yield* serveApp(options, (env) => tool("@react-router/serve", [join(directory, "server/index.js")], env))
})
