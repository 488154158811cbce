import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Schema from "effect/Schema"
import { createServer } from "node:net"
import { ClerkStandIn } from "./clerk/ClerkStandIn.ts"
import { demoOptions } from "./clerk/StandInOptions.ts"
import { startWorker } from "./LocalWorker.ts"

const guide = (url: string, clerk: ClerkStandIn["Service"]) => `
  MCP server     ${url}/mcp
  Clerk stand-in ${clerk.url}

  Sign in as     ${Object.values(clerk.users)
    .map(({ email }) => email)
    .join("\n                 ")}

  Try it         npx mcp-inspector --transport http --server-url ${url}/mcp
                 claude mcp add --transport http example ${url}/mcp

  Ctrl-C stops both.
`

class PortTaken extends Schema.TaggedError<PortTaken>()("PortTaken", { port: Schema.Int, flag: Schema.String }) {
  override get message(): string {
    return `Port ${this.port} is taken. Choose another: npm start -- ${this.flag} ${this.port + 1000}`
  }
}

const requireFree = (port: number, flag: string) =>
  Effect.callback<void, PortTaken>((resume) => {
    const probe = createServer()
    probe.once("error", () => resume(Effect.fail(new PortTaken({ port, flag }))))
    probe.listen(port, "localhost", () => probe.close(() => resume(Effect.void)))
  })

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
    yield* requireFree(port, "--port")
    yield* requireFree(clerkPort, "--clerk-port")
    const standIn = ClerkStandIn.layer({ port: clerkPort, redirectUris: [`${url}/callback`] })
    return yield* Effect.gen(function* () {
      const clerk = yield* ClerkStandIn
      const worker = yield* startWorker({ port, settings: { ...clerk.settings } })
      yield* Console.log(guide(url, clerk))
      return yield* worker.stopped
    }).pipe(Effect.provide(standIn))
  }, Effect.scoped)
).pipe(Command.withDescription("Run the MCP server and the Clerk stand-in on this machine"))

Command.run(start, { version: "0.1.0" }).pipe(
  Effect.provide([NodeServices.layer, FetchHttpClient.layer, SecureRandom.layerWebCrypto]),
  NodeRuntime.runMain
)
