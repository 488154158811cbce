import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createServer } from "node:net"
import { isLoopback, Origin } from "../src/server/config/AppConfig.ts"
import { ClerkStandIn } from "./clerk/ClerkStandIn.ts"
import { mcpServerTemplate } from "./clerk/JwtTemplates.ts"
import { demoOptions } from "./clerk/StandInOptions.ts"
import { appSettings, startApp } from "./LocalApp.ts"
import { startWorker } from "./LocalWorker.ts"

interface Addresses {
  /** Where people and clients reach the Worker. */
  readonly worker: string
  readonly clerk: ClerkStandIn["Service"]
  readonly app: string | undefined
  /** What an application needs that somebody else runs. */
  readonly settings?: Readonly<Record<string, string>>
}

const guide = ({ worker, clerk, app, settings = {} }: Addresses) => `
  MCP server     ${worker}/mcp
  Clerk stand-in ${clerk.url}${
    app === undefined
      ? ""
      : `
  Application    ${app}
                 ${app}/auth/mcp signs people in`
  }${Object.entries(settings)
    .map(([name, value]) => `\n                 ${name}="${value}"`)
    .join("")}

  Sign in as     ${Object.values(clerk.users)
    .map(({ email }) => email)
    .join("\n                 ")}

  Try it         npx mcp-inspector --transport http --server-url ${worker}/mcp
                 and there: Connect

                 claude mcp add --transport http example ${worker}/mcp
                 claude mcp login example

  Either opens a browser: allow the client there, then choose as whom to sign in.
  ${
    isLoopback(new URL(worker).hostname)
      ? 'Without internet, Claude Code and Codex need one thing more: README.md, "Connect a client".'
      : `Only that address is served. Use a browser on this machine: the Clerk stand-in is here.`
  }

  Ctrl-C stops ${app === undefined ? "both" : "all of them"}.
`

class PortTaken extends Schema.TaggedError<PortTaken>()("PortTaken", { port: Schema.Int, flag: Schema.String }) {
  override get message(): string {
    return `Port ${this.port} is taken. Choose another: npm start -- ${this.flag} ${this.port < 65_535 ? this.port + 1 : this.port - 1}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

/** A flag that has no meaning beside the others. */
class FlagUnused extends Schema.TaggedError<FlagUnused>()("FlagUnused", { flag: Schema.String }) {
  override get message(): string {
    return `${this.flag} is for people who sign in through an app: add --sign-in app`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

const requireFree = (port: number, flag: string, host = "localhost") =>
  Effect.callback<void, PortTaken>((resume) => {
    const probe = createServer()
    probe.once("error", () => resume(Effect.fail(new PortTaken({ port, flag }))))
    probe.listen(port, host, () => probe.close(() => resume(Effect.void)))
  })

const portFlag = (name: string) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (port) => port > 0 && port < 65_536,
      (port) => `${port} is no port`
    )
  )

const decodeOrigin = Schema.decodeUnknownOption(Origin)

const originFlag = (name: string) =>
  Flag.String(name).pipe(
    Flag.filterMap(
      (address) => Option.map(decodeOrigin(address), ({ origin }) => origin),
      (address) => `"${address}" is no address without a path that starts with https:// (or http:// and localhost)`
    )
  )

const start = Command.make(
  "start",
  {
    port: portFlag("port").pipe(Flag.withDescription("Port of the Worker"), Flag.withDefault(8788)),
    publicUrl: originFlag("public-url").pipe(
      Flag.withDescription("Address of a tunnel to the Worker's port, at which alone the Worker is served then"),
      Flag.optional
    ),
    signIn: Flag.Literals("sign-in", ["clerk", "app"]).pipe(
      Flag.withDescription("Whether people sign in with Clerk directly or in an application that has Clerk sign-in"),
      Flag.withDefault("clerk")
    ),
    appPort: portFlag("app-port").pipe(
      Flag.withDescription("Port of the application, for --sign-in app"),
      Flag.withDefault(3000)
    ),
    ownApp: originFlag("app-url").pipe(
      Flag.withDescription("Origin of an application of your own, for --sign-in app: it is run by you"),
      Flag.optional
    ),
    clerkPort: portFlag("clerk-port").pipe(
      Flag.withDescription("Port of the Clerk stand-in"),
      Flag.withDefault(demoOptions.port)
    )
  },
  Effect.fnUntraced(function* ({ appPort, clerkPort, ownApp, port, publicUrl, signIn }) {
    const url = Option.getOrElse(publicUrl, () => `http://localhost:${port}`)
    const appUrl = Option.getOrElse(ownApp, () => `http://127.0.0.1:${appPort}`)
    if (signIn === "clerk" && Option.isSome(ownApp)) return yield* new FlagUnused({ flag: "--app-url" })
    yield* requireFree(port, "--port")
    // Each is looked at alone, and one port would pass twice.
    if (clerkPort === port) return yield* new PortTaken({ port, flag: "--clerk-port" })
    yield* requireFree(clerkPort, "--clerk-port")
    if (signIn === "app" && Option.isNone(ownApp)) yield* requireFree(appPort, "--app-port", "127.0.0.1")
    const standIn = ClerkStandIn.layer({
      port: clerkPort,
      redirectUris: [`${url}/callback`],
      appOrigins: [appUrl],
      jwtTemplates: { "mcp-server": mcpServerTemplate(appUrl) }
    })
    return yield* Effect.gen(function* () {
      const clerk = yield* ClerkStandIn
      // Of its own for each port: two Workers on one storage lock each other out.
      const storage = `.wrangler/start-${port}`
      const run = (settings: Readonly<Record<string, string>>) =>
        startWorker({ port, storage, settings: { ...clerk.settings, PUBLIC_URL: url, ...settings } })
      if (signIn === "clerk") {
        const worker = yield* run({})
        yield* Console.log(guide({ worker: url, clerk, app: undefined }))
        return yield* worker.stopped
      }
      const starting = run({ SIGN_IN: "app", APP_URL: appUrl })
      if (Option.isSome(ownApp)) {
        const worker = yield* starting
        const settings = { ...appSettings(clerk), APP_URL: appUrl, MCP_SERVER_URL: url }
        yield* Console.log(guide({ worker: url, clerk, app: appUrl, settings }))
        return yield* worker.stopped
      }
      const [app, worker] = yield* Effect.all([startApp({ port: appPort, mcpServerUrl: url, clerk }), starting], {
        concurrency: 2
      })
      yield* Console.log(guide({ worker: url, clerk, app: app.url }))
      return yield* Effect.raceFirst(app.stopped, worker.stopped)
    }).pipe(Effect.provide(standIn))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Run the MCP server and the Clerk stand-in on this machine, and an application on request")
)

Command.run(start, { version: "0.1.0" }).pipe(
  Effect.provide([NodeServices.layer, FetchHttpClient.layer, SecureRandom.layerWebCrypto]),
  NodeRuntime.runMain
)
