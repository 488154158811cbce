import type { Client } from "@modelcontextprotocol/client"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import { application, authority, define, type Server, type ServerDefinition } from "../Server.ts"
import { type Decision, DecisionListener } from "../observability/Decisions.ts"
import { FakeAccounts } from "./FakeAccounts.ts"
import { FakeClerk } from "./FakeClerk.ts"
import { type ClientOptions, connect } from "./McpClient.ts"
import { MemoryKv } from "./MemoryKv.ts"
import { testSettings } from "./TestSettings.ts"
import { idOf, type TestUser } from "./TestUser.ts"
import { type Handler, Visitor } from "./Visitor.ts"

export interface TestServerOptions {
  /** Everybody that Clerk knows. Ada, who has no role, unless it is given. */
  readonly users?: ReadonlyArray<TestUser>
  /** The team's own settings and bindings, and what is to differ from `testSettings`. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Layers of the test's own in place of stand-ins, such as `Layer.mock(ClerkApi, { user, memberships })`. */
  readonly outside?: Layer.Layer<never>
}

/** A whole server in this process, and what stands around it. */
export interface TestServer {
  /** Clerk. Change its `users`, and the server sees it once what it knows has grown old: see `wait`. */
  readonly clerk: FakeClerk
  /** The store of the authorization server. */
  readonly kv: MemoryKv
  /** The objects of the users: grants, tokens, facts. They hold no sessions: these exist in workerd only. */
  readonly accounts: FakeAccounts
  /** Each line that the server logs, as JSON. */
  readonly log: ReadonlyArray<string>
  /** What policies decided, in order: one record for each message that was judged. */
  readonly decisions: ReadonlyArray<Decision>
  /** Lets seconds pass, except for the OAuth library, which reads the system's clock. */
  readonly wait: (seconds: number) => void
  readonly handler: Handler
  /** A browser in front of the server. */
  readonly visitor: Visitor
  /**
   * Signs a user in with a client of its own (registration, consent, Clerk, code, token), and connects the official SDK's
   * client with the token. `scopes` are granted beside `mcp:tools`.
   */
  readonly connect: (user: TestUser, options?: ConnectOptions) => Promise<Client>
}

export interface ConnectOptions extends ClientOptions {
  readonly scopes?: ReadonlyArray<string>
  /** For a member of several: the id of the organization that is chosen, or `personal`. The proposed one otherwise. */
  readonly organization?: string
}

/** A catalogue to serve by itself, with whatever else of a definition it needs. */
type Served<Settings extends ReadonlyArray<unknown>> = Pick<ServerDefinition<Settings>, "catalogue"> &
  Partial<ServerDefinition<Settings>>

/**
 * The whole application of a server in this process: no network, no port. Clerk, the KV store and the users' objects are
 * stand-ins that a test can steer. It serves what `make` returns, the default export of the Worker's entry, or a
 * catalogue by itself, so that the settings of other tools do not matter:
 *
 *     const server = testServer(worker, { users: [{ role: "admin" }] })
 *     const alone = testServer({ catalogue: Catalogue.layer(Catalogue.tools(toolkit, layer)) })
 *     const client = await server.connect({})
 *     const { structuredContent } = await client.callTool({ name: "add", arguments: { a: 1, b: 2 } })
 */
export const testServer = <Settings extends ReadonlyArray<unknown> = []>(
  served: { readonly server: Server } | Served<Settings>,
  { users = [{}], settings = {}, outside = Layer.empty }: TestServerOptions = {}
): TestServer => {
  const described = { name: "test-server", title: "Test server", version: "0.0.0", scopes: {} }
  const server = "server" in served ? served.server : define({ ...described, ...served })
  const clerk = new FakeClerk(...users)
  const kv = new MemoryKv()
  const accounts = new FakeAccounts()
  const log: Array<string> = []
  const decisions: Array<Decision> = []
  let ahead = 0
  const clock = Layer.effect(
    Clock.Clock,
    Clock.clockWith((live) => {
      const millis = () => live.currentTimeMillisUnsafe() + ahead
      const steered = { currentTimeMillisUnsafe: millis, currentTimeMillis: Effect.sync(millis) }
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what an object inherits has no type
      return Effect.succeed(Object.assign(Object.create(live) as Clock.Clock, steered))
    })
  )
  const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))])
  const listener = Layer.succeed(DecisionListener, (decision) => void decisions.push(decision))
  const env = { ...testSettings, ACCOUNT_AGENT: accounts.namespace, ...settings }
  const world = Layer.mergeAll(clerk.layer, kv.layer, outside)
  const host = Layer.mergeAll(logger, clock, listener)
  accounts.host((user) => authority(server, env, world, user).pipe(Layer.provideMerge(host), Layer.orDie))
  const { handler } = HttpRouter.toWebHandler(
    application(server, env, world).pipe(Layer.provideMerge(host), Layer.orDie),
    { disableLogger: true }
  )
  const { origin } = new URL(env.PUBLIC_URL)
  return {
    clerk,
    kv,
    accounts,
    log,
    decisions,
    wait: (seconds) => {
      ahead += seconds * 1_000
      accounts.ahead = ahead
    },
    handler,
    visitor: new Visitor(handler, origin),
    connect: async (user, { scopes = [], organization, ...options } = {}) => {
      const visitor = new Visitor(handler, origin)
      const { access_token: token } = await visitor.signIn(idOf(user), ["mcp:tools", ...scopes].join(" "), organization)
      return connect(handler, token, options, new URL("/mcp", origin))
    }
  }
}
