import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createServer } from "node:net"
import { ClerkStandIn } from "./clerk/ClerkStandIn.ts"
import { mcpServerTemplate } from "./clerk/JwtTemplates.ts"
import { demoOptions } from "./clerk/StandInOptions.ts"
import { appSettings, startApp } from "./LocalApp.ts"
import { startWorker } from "./LocalWorker.ts"

interface Addresses {
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
                 claude mcp add --transport http example ${worker}/mcp

  Ctrl-C stops ${app === undefined ? "both" : "all of them"}.
`

class PortTaken extends Schema.TaggedError<PortTaken>()("PortTaken", { port: Schema.Int, flag: Schema.String }) {
  override get message(): string {
    return `Port ${this.port} is taken. Choose another: npm start -- ${this.flag} ${this.port + 1000}`
  }
}

const requireFree = (port: number, flag: string, host = "localhost") =>
  Effect.callback<void, PortTaken>((resume) => {
    const probe = createServer()
    probe.once("error", () => resume(Effect.fail(new PortTaken({ port, flag }))))
    probe.listen(port, host, () => probe.close(() => resume(Effect.void)))
  })

const start = Command.make(
  "start",
  {
    port: Flag.Int("port").pipe(Flag.withDescription("Port of the Worker"), Flag.withDefault(8788)),
    signIn: Flag.Literals("sign-in", ["clerk", "app"]).pipe(
      Flag.withDescription("Whether people sign in with Clerk directly or in an application that has Clerk sign-in"),
      Flag.withDefault("clerk")
    ),
    appPort: Flag.Int("app-port").pipe(
      Flag.withDescription("Port of the application, for --sign-in app"),
      Flag.withDefault(3000)
    ),
    ownApp: Flag.String("app-url").pipe(
      Flag.withDescription("Origin of an application of your own, for --sign-in app: it is run by you"),
      Flag.withSchema(Schema.URLFromString),
      Flag.optional
    ),
    clerkPort: Flag.Int("clerk-port").pipe(
      Flag.withDescription("Port of the Clerk stand-in"),
      Flag.withDefault(demoOptions.port)
    )
  },
  Effect.fnUntraced(function* ({ appPort, clerkPort, ownApp, port, signIn }) {
    const url = `http://localhost:${port}`
    const appUrl = Option.match(ownApp, { onNone: () => `http://127.0.0.1:${appPort}`, onSome: ({ origin }) => origin })
    yield* requireFree(port, "--port")
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
      if (signIn === "clerk") {
        const worker = yield* startWorker({ port, settings: { ...clerk.settings } })
        yield* Console.log(guide({ worker: url, clerk, app: undefined }))
        return yield* worker.stopped
      }
      const starting = startWorker({ port, settings: { ...clerk.settings, SIGN_IN: "app", APP_URL: appUrl } })
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
