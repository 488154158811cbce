import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createServer } from "node:net"
import { isLoopback, Origin } from "../../src/server/config/AppConfig.ts"
import type { ClerkStandIn as StandIn } from "../clerk/ClerkStandIn.ts"
import { mcpServerTemplate } from "../clerk/JwtTemplates.ts"
import { demoOptions } from "../clerk/StandInOptions.ts"
import { decidedByTheRun, ownSettings } from "../DevVars.ts"
import { appSettings, exampleApp, startApp } from "../LocalApp.ts"
import { signingKey, startWorker, webhookSecret } from "../LocalWorker.ts"
import { leaveKeys } from "../OperatorKeys.ts"

interface Addresses {
  /** Where people and clients reach the Worker. */
  readonly worker: string
  readonly clerk: StandIn["Service"]
  readonly app: string | undefined
  /** What an application needs that somebody else runs. */
  readonly settings?: Readonly<Record<string, string>>
  /** Where the team's own settings come from, and what they are called. */
  readonly own: { readonly file: string | undefined; readonly names: ReadonlyArray<string> }
}

const guide = ({ worker, clerk, app, settings = {}, own }: Addresses) => `
  MCP server     ${worker}/mcp
  Clerk stand-in ${clerk.url}
                 change roles, organizations, bans and sessions there${
                   app === undefined
                     ? ""
                     : `
  Application    ${app}
                 ${app}/auth/mcp signs people in`
                 }${Object.entries(settings)
                   .map(([name, value]) => `\n                 ${name}="${value}"`)
                   .join(
                     ""
                   )}${own.file === undefined || own.names.length === 0 ? "" : `\n  From ${own.file.padEnd(9)} ${own.names.join(", ")}`}

  Sign in as     ${Object.values(clerk.users)
    .map(({ email }) => email)
    .join("\n                 ")}

  Try it         npx @modelcontextprotocol/inspector --transport http --server-url ${worker}/mcp
                 and there: Connect

                 claude mcp add --transport http example ${worker}/mcp
                 claude mcp login example

  Either opens a browser: allow the client there, then sign in as one of the users above.
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

/** What a start needs and the current folder does not have. */
class Missing extends Schema.TaggedError<Missing>()("Missing", { what: Schema.String, todo: Schema.String }) {
  override get message(): string {
    return `${this.what} is not here: ${this.todo}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}

const requireFile = Effect.fnUntraced(function* (
  path: string,
  missing: { readonly what: string; readonly todo: string }
) {
  const files = yield* FileSystem.FileSystem
  if (!(yield* files.exists(path))) return yield* new Missing(missing)
})

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

/** Runs the server of the current folder beside a stand-in for Clerk. */
export const start = Command.make(
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
    yield* requireFile("wrangler.jsonc", { what: "wrangler.jsonc", todo: "start in the folder of your server" })
    if (signIn === "app" && Option.isNone(ownApp)) {
      yield* requireFile(exampleApp, { what: "The example application", todo: "name your own with --app-url" })
    }
    yield* requireFree(port, "--port")
    // Each is looked at alone, and one port would pass twice.
    if (clerkPort === port) return yield* new PortTaken({ port, flag: "--clerk-port" })
    yield* requireFree(clerkPort, "--clerk-port")
    if (signIn === "app" && Option.isNone(ownApp)) yield* requireFree(appPort, "--app-port", "127.0.0.1")
    // Other commands need not wait for its OAuth server to load.
    const { ClerkStandIn } = yield* Effect.promise(() => import("../clerk/ClerkStandIn.ts"))
    const webhooks = { url: `${url}/webhooks/clerk`, secret: yield* webhookSecret }
    const standIn = ClerkStandIn.layer({
      port: clerkPort,
      webhooks,
      redirectUris: [`${url}/callback`],
      appOrigins: [appUrl],
      jwtTemplates: { "mcp-server": mcpServerTemplate(appUrl) }
    })
    return yield* Effect.gen(function* () {
      const clerk = yield* ClerkStandIn
      // Of its own for each port: two Workers on one storage lock each other out.
      const storage = `.wrangler/start-${port}`
      const { file, settings: team } = yield* ownSettings(".")
      const own = { file, names: Object.keys(team) }
      const keys = yield* signingKey
      yield* leaveKeys(port, url, keys)
      const given = {
        ...team,
        ...clerk.settings,
        CLERK_WEBHOOK_SECRET: webhooks.secret,
        PUBLIC_URL: url,
        STATE_SIGNING_KEYS: keys
      }
      const run = (settings: Readonly<Record<string, string>>) =>
        startWorker({ port, storage, settings: { ...given, ...settings } })
      if (signIn === "clerk") {
        const worker = yield* run({ SIGN_IN: "clerk" })
        yield* Console.log(guide({ worker: url, clerk, app: undefined, own }))
        return yield* worker.stopped
      }
      const starting = run({ SIGN_IN: "app", APP_URL: appUrl })
      if (Option.isSome(ownApp)) {
        const worker = yield* starting
        const settings = { ...appSettings(clerk), APP_URL: appUrl, MCP_SERVER_URL: url }
        yield* Console.log(guide({ worker: url, clerk, app: appUrl, settings, own }))
        return yield* worker.stopped
      }
      const [app, worker] = yield* Effect.all([startApp({ port: appPort, mcpServerUrl: url, clerk }), starting], {
        concurrency: 2
      })
      yield* Console.log(guide({ worker: url, clerk, app: app.url, own }))
      return yield* Effect.raceFirst(app.stopped, worker.stopped)
    }).pipe(Effect.provide(standIn))
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Run the MCP server and the Clerk stand-in on this machine, and an application on request. " +
      "The server's own settings and secrets come from .dev.vars, without those of Clerk (CLERK_...) and those that this command sets: " +
      `${decidedByTheRun.join(", ")}.`
  ),
  Command.withShortDescription("Run the server of this folder and a stand-in for Clerk")
)
