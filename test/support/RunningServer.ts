import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { inject } from "vitest"
import { createTestHarness, type TestHarnessOptions } from "wrangler"

import type { StandInAdmin } from "../../dev/clerk/admin/StandInAdmin.ts"
import { ClerkStandIn, type WorkerSettings } from "../../dev/clerk/ClerkStandIn.ts"
import { mcpServerTemplate } from "../../dev/clerk/JwtTemplates.ts"
import type { AccountObject } from "../server/fixture/worker.ts"
import type { Removal } from "../../src/server/account/Session.ts"
import type { Decision } from "../../src/server/observability/Decisions.ts"
import { fixtureConfig } from "./FixtureBundle.ts"
import { OAuthClient, type Parameters, type Registration, type Tokens } from "./OAuthClient.ts"
import { type Choice, Person } from "./Person.ts"
import { webhookSecret } from "./SignedWebhook.ts"

/** The ring of the running server: what tests sign is signed with the newest key, the first one. */
export const signingKeys = {
  now: Buffer.alloc(32, 7).toString("base64"),
  former: Buffer.alloc(32, 9).toString("base64")
}

/** A signed-in connection of one client. */
export interface UserGrant {
  readonly client: OAuthClient
  readonly person: Person
  readonly tokens: Tokens
  readonly accessToken: string
  readonly refreshToken: string
}

export interface SignInOptions extends Registration, Choice {
  /** Use this client instead of registering one. */
  readonly client?: OAuthClient
  readonly person?: Person
  readonly request?: Parameters
}

interface Bindings {
  readonly OAUTH_KV: KVNamespace
  readonly ACCOUNT_AGENT: DurableObjectNamespace<AccountObject>
}

type Admin = StandInAdmin["Service"]

/** The Worker in workerd, behind a real port, with a Clerk stand-in beside it. */
export interface Server {
  /** Its origin, as `PUBLIC_URL` says. */
  readonly url: string
  /** The address that MCP clients connect to. */
  readonly mcp: string
  readonly clerk: ClerkStandIn["Service"]
  /** The origin of the app through which people sign in, if they do. */
  readonly app: string | undefined
  /** The store of the OAuth library, as it is until the next restart. */
  readonly kv: () => Promise<KVNamespace>
  /** The object of a user, with a way to what it stores. */
  readonly object: (userId: string) => Promise<DurableObjectStub<AccountObject>>
  /** Ends a session in the object of its user, asked without a token: the status tells whether there was one. */
  readonly remove: (removal: Removal) => Promise<number>
  /** What is stored in the object of a user of the decisions on its messages, the newest first. */
  readonly decisions: (userId: string) => Promise<ReadonlyArray<Decision>>
  /** The lines that the Worker has logged so far. */
  readonly logs: () => ReadonlyArray<string>
  /** Starts the Worker anew on the same storage, where what Clerk said of users has grown old: a minute is over. */
  readonly restart: () => Promise<void>
  readonly admin: <A, E>(hook: (admin: Admin) => Effect.Effect<A, E>) => Promise<A>
  readonly person: (email: string) => Person
  /** A whole sign-in: registration, consent, Clerk, code, token. */
  readonly signIn: (email: string, options?: SignInOptions) => Promise<UserGrant>
}

/** A Worker, bundled once for all files of a run, see `bundleFixture.ts`. */
type Bundled = TestHarnessOptions["workers"][number]

const fixture: Bundled = { configPath: fixtureConfig, prebuiltWorkerDir: inject("fixtureBundle") }
const observed: Bundled = {
  configPath: "test/support/observed/wrangler.jsonc",
  prebuiltWorkerDir: inject("observedBundle")
}

const harnessOptions = (
  worker: Bundled,
  publicUrl: string,
  clerk: WorkerSettings,
  app: string | undefined,
  collector: string,
  start: number
): TestHarnessOptions => ({
  workers: [
    {
      ...worker,
      vars: {
        PUBLIC_URL: publicUrl,
        CLERK_FRONTEND_API: clerk.CLERK_FRONTEND_API,
        CLERK_API_URL: clerk.CLERK_API_URL,
        CLERK_CLIENT_ID: clerk.CLERK_CLIENT_ID,
        // All of them, so that nobody's .dev.vars has a say.
        SIGN_IN: app === undefined ? "clerk" : "app",
        APP_URL: app ?? "",
        CLERK_JWT_TEMPLATE: "mcp-server",
        ALLOWED_ORIGINS: "",
        SESSION_IDLE_HOURS: "",
        ORGANIZATIONS: "",
        FIXTURE_COLOUR: "red",
        OTEL_EXPORTER_OTLP_ENDPOINT: collector,
        // No setting of the Worker: without a difference, the harness would not start it again.
        START: String(start)
      },
      secrets: {
        CLERK_CLIENT_SECRET: clerk.CLERK_CLIENT_SECRET,
        CLERK_SECRET_KEY: clerk.CLERK_SECRET_KEY,
        CLERK_WEBHOOK_SECRET: webhookSecret,
        STATE_SIGNING_KEYS: `now:${signingKeys.now},former:${signingKeys.former}`
      }
    }
  ]
})

/** What a Clerk instance knows of an app: its origin, the template of its tokens, and one that is for something else. */
const knowing = (app: string | undefined) =>
  app === undefined
    ? {}
    : { appOrigins: [app], jwtTemplates: { "mcp-server": mcpServerTemplate(app), billing: { aud: "billing" } } }

/** Takes a port: the Worker without settings keeps it until it can be told its own address. */
const listening = (worker: Bundled) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      // Wrangler writes NODE_ENV into the bundle, and Clerk's SDK has a path for "test" that does not work on Workers.
      process.env["NODE_ENV"] = "production"
      // Wrangler would ask Cloudflare where this machine is.
      process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false"
      const harness = createTestHarness({ workers: [worker] })
      const { url } = await harness.listen()
      return { harness, url: `http://localhost:${url.port}` }
    }),
    ({ harness }) => Effect.promise(() => harness.close())
  )

const signIn = async (server: Server, email: string, options: SignInOptions = {}): Promise<UserGrant> => {
  const { client = await OAuthClient.register(server.mcp, options), person = server.person(email), request } = options
  const attempt = await client.begin(request)
  const tokens = await client.redeem(attempt, await person.authorize(attempt.address, options))
  return { client, person, tokens, accessToken: tokens.access_token, refreshToken: tokens.refresh_token ?? "" }
}

const start = async (
  worker: Bundled,
  { harness, url }: Effect.Success<ReturnType<typeof listening>>,
  clerk: ClerkStandIn["Service"],
  app?: string,
  collector = ""
) => {
  let starts = 0
  const update = () => harness.update(harnessOptions(worker, url, clerk.settings, app, collector, ++starts))
  const objects = async () => {
    const { ACCOUNT_AGENT: agents } = await harness.getWorker<Bindings>().getEnv()
    return Object.values(clerk.users).map(({ id }) => agents.getByName(id))
  }
  const restart = async () => {
    if (starts > 0) for (const object of await objects()) await object.forgetClerk()
    await update()
  }
  const renew = async () => {
    const kv = await server.kv()
    for (let keys = await kv.list(); keys.keys.length > 0; keys = await kv.list()) {
      await Promise.all(keys.keys.map(({ name }) => kv.delete(name)))
    }
    await Effect.runPromise(clerk.admin.reset)
    for (const object of await objects()) await object.clear()
    await update()
    harness.clearLogs()
  }
  const server: Server = {
    url,
    mcp: `${url}/mcp`,
    clerk,
    app,
    kv: async () => (await harness.getWorker<Bindings>().getEnv()).OAUTH_KV,
    object: async (userId) => (await harness.getWorker<Bindings>().getEnv()).ACCOUNT_AGENT.getByName(userId),
    remove: async (removal) => {
      const { ACCOUNT_AGENT: agents } = await harness.getWorker<Bindings>().getEnv()
      const answer = await agents.getByName(removal.principal.userId).remove(removal)
      return answer.status
    },
    decisions: async (userId) => {
      const { ACCOUNT_AGENT: agents } = await harness.getWorker<Bindings>().getEnv()
      return (await agents.getByName(userId).decisions({ limit: 100 })).map((decision) => ({ ...decision }))
    },
    logs: () => harness.getLogs().map(({ message }) => message),
    restart,
    admin: (hook) => Effect.runPromise(hook(clerk.admin)),
    person: (email) => new Person({ url, clerk }, email),
    signIn: (email, options) => signIn(server, email, options)
  }
  await restart()
  harness.clearLogs()
  return { server, renew }
}

const runningServer = (worker: Bundled, app?: string, collector?: string) =>
  Effect.gen(function* () {
    const listener = yield* listening(worker)
    const { url } = listener
    const standIn = ClerkStandIn.layer({ port: 0, redirectUris: [`${url}/callback`], ...knowing(app) })
    const clerk = Context.get(yield* Layer.build(standIn), ClerkStandIn)
    return yield* Effect.promise(() => start(worker, listener, clerk, app, collector))
  })

let shared: ReturnType<typeof start> | undefined

/** The server of this process. Whoever comes second finds it as the first did: nobody signed in, nothing logged. */
const sharedServer = async (): Promise<Server> => {
  if (shared !== undefined) {
    const { server, renew } = await shared
    await renew()
    return server
  }
  // Its scope is the process: workerd ends with it.
  shared = Effect.runPromise(Effect.provideService(runningServer(fixture), Scope.Scope, Effect.runSync(Scope.make())))
  return (await shared).server
}

/** A server for the tests of a file, which follow each other. */
export class RunningServer extends Context.Service<RunningServer, Server>()("test/RunningServer") {
  /** People sign in with Clerk's OAuth server. One server for all files that run in this process. */
  static readonly layer = Layer.effect(RunningServer, Effect.promise(sharedServer))

  /** People sign in through an app at this origin, and tools call its API with tokens of the template `mcp-server`. */
  static readonly layerWithApp = (app: string) =>
    Layer.effect(
      RunningServer,
      Effect.map(runningServer(fixture, app), ({ server }) => server)
    )

  /** Exports telemetry to a collector at this address. */
  static readonly layerExporting = (collector: string) =>
    Layer.effect(
      RunningServer,
      Effect.map(runningServer(fixture, undefined, collector), ({ server }) => server)
    )

  /**
   * The same on storage that can fail, see `observed/Observed.ts`: with Clerk's OAuth server, or through an app at this
   * origin.
   */
  static readonly layerObserved = (app?: string) =>
    Layer.effect(
      RunningServer,
      Effect.map(runningServer(observed, app), ({ server }) => server)
    )
}

/** A test that talks to the server through clients made of Promises. */
export const onServer = (test: (server: Server) => Promise<void>) => () =>
  Effect.flatMap(RunningServer, (server) => Effect.promise(() => test(server)))

/** What several tests of a file start from, made by the first of them. */
export const once = <A>(make: (server: Server) => Promise<A>): ((server: Server) => Promise<A>) => {
  let made: Promise<A> | undefined
  return (server) => (made ??= make(server))
}
