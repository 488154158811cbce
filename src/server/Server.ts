import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"

import { Access } from "./access/Access.ts"
import * as AccessWatch from "./access/AccessWatch.ts"
import { ClerkSessionTokens } from "./access/ClerkSessionTokens.ts"
import * as AccountChanges from "./account/AccountChanges.ts"
import type { OwnEvents } from "./account/AccountObject.ts"
import { AccountStubs, workerEvents } from "./account/AccountStub.ts"
import { ClerkApi } from "./clerk/ClerkApi.ts"
import { ClerkJwt } from "./clerk/ClerkJwt.ts"
import { ClerkOAuth } from "./clerk/ClerkOAuth.ts"
import { AppConfig, type ConfigurationError } from "./config/AppConfig.ts"
import { KeepAlive } from "./config/KeepAlive.ts"
import { type ServerDescription, ServerInfo } from "./config/ServerInfo.ts"
import type { SettingsClass } from "./config/Settings.ts"
import { answerHeaders } from "./http/AnswerHeaders.ts"
import { Idempotency } from "./http/Idempotency.ts"
import { misconfigured } from "./http/Misconfigured.ts"
import { routes } from "./http/Routes.ts"
import { type Offer, ServerFactory } from "./mcp/ServerFactory.ts"
import { StatelessLane } from "./mcp/StatelessLane.ts"
import type { ToolCalls } from "./mcp/ToolCalls.ts"
import * as AppSignIn from "./oauth/AppSignIn.ts"
import * as AuthorizationServer from "./oauth/AuthorizationServer.ts"
import * as ClerkSignIn from "./oauth/ClerkSignIn.ts"
import { userGrants } from "./oauth/Grants.ts"
import type { OAuthLibrary } from "./oauth/OAuthLibrary.ts"
import { OAuthStorage } from "./oauth/OAuthStorage.ts"
import type { SignIn } from "./oauth/SignIn.ts"
import { StateSigner } from "./oauth/StateSigner.ts"
import * as Log from "./observability/Log.ts"
import { AppApi } from "./capability/AppApi.ts"
import type { UserGrants } from "./capability/UserGrants.ts"

/** The outside world: Clerk, the store. What a test swaps. */
export const Outside = Layer.mergeAll(
  ClerkApi.layer,
  ClerkJwt.layer,
  Layer.unwrap(
    Effect.map(AppConfig, (config) =>
      config.SIGN_IN === "clerk"
        ? ClerkOAuth.layer({ clientId: config.CLERK_CLIENT_ID, clientSecret: config.CLERK_CLIENT_SECRET })
        : ClerkOAuth.layerUnused
    )
  ),
  OAuthStorage.layer
)

/** Who may do what, and what ends when they may no more. `events`: the adapter that hears of that here. */
const authority = <E, R>(access: Layer.Layer<Access, E, R>, events: OwnEvents) =>
  AuthorizationServer.layer.pipe(
    Layer.provideMerge(access),
    Layer.provide(events),
    Layer.provideMerge(Layer.mergeAll(StateSigner.layer, ClerkSessionTokens.layer, AccountStubs.layer))
  )

type Proof = Access | AppConfig | OAuthLibrary | ClerkApi | ClerkJwt | ClerkOAuth | StateSigner

/** Who may do what, and how they prove it. */
const Authorization = Layer.unwrap(
  Effect.map(AppConfig, (config): Layer.Layer<SignIn, never, Proof> =>
    config.SIGN_IN === "clerk" ? ClerkSignIn.layer : AppSignIn.layer(config.APP_URL)
  )
).pipe(Layer.provideMerge(authority(AccessWatch.layer, workerEvents)))

/** What the library lends to what clients can use, beside the services of each request. */
type Lent = AppApi | AppConfig | UserGrants

/** Everything that clients can use, as a layer that may need the team's settings: tools, resources and prompts. */
export type Catalogue<Own = never> = Layer.Layer<ToolCalls | Offer, never, Own | Lent>

/** A team's server: what it is called, what can be granted, its settings, and what clients can use. */
export interface ServerDefinition<Own, A> extends ServerDescription {
  readonly settings: SettingsClass<Own, A>
  readonly catalogue: Catalogue<Own>
}

type Env = Readonly<Record<string, unknown>>

/** The settings of a server, and its catalogue with those of the team in it. */
interface Configured {
  readonly info: Layer.Layer<ServerInfo, never, AppConfig>
  readonly config: AppConfig["Service"]
  readonly catalogue: Catalogue
}

/** A server that can be given settings. */
export interface Server {
  /** Fails with every setting that is missing or malformed in `env`, the server's and the team's. */
  readonly configure: (env: Env) => Effect.Effect<Configured, ConfigurationError>
}

/** Takes a team's definition. */
export const define = <Own, A>(definition: ServerDefinition<Own, A>): Server => ({
  configure: (env) =>
    Effect.map(AppConfig.decodeWith(env, definition.settings), ({ config, own }) => ({
      info: ServerInfo.layer(definition),
      config,
      // The compiler does not take a type parameter out of a union.
      catalogue: Layer.provide(
        definition.catalogue,
        Layer.succeedContext(definition.settings.context(own))
      ) as Catalogue
    }))
})

/** A catalogue as servers of the protocol: the same ones in every lane. */
const servers = (catalogue: Catalogue) =>
  ServerFactory.layer.pipe(
    Layer.provide(catalogue),
    Layer.provide(AppApi.layerOfSettings.pipe(Layer.provideMerge(userGrants)))
  )

/** Requests that stand for themselves are served here, those of sessions by the object of their user. */
const lanes = (catalogue: Catalogue) =>
  StatelessLane.layer.pipe(Layer.provide(servers(catalogue)), Layer.provide(AccountChanges.layer))

/** The whole application of a configured server on a given outside world. */
const compose = <E, R>(
  { info, config, catalogue }: Configured,
  outside: Layer.Layer<Layer.Success<typeof Outside>, E, R>
) =>
  Layer.merge(routes, answerHeaders).pipe(
    Layer.provideMerge(Idempotency.layer),
    Layer.provideMerge(lanes(catalogue)),
    Layer.provideMerge(Authorization),
    Layer.provideMerge(outside),
    Layer.provideMerge(info),
    Layer.provideMerge(Layer.succeed(AppConfig, config))
  )

/** The whole application of a server with settings from `env`, on a given outside world: for tests, which swap that. */
export const application = <E, R>(
  server: Server,
  env: Env,
  outside: Layer.Layer<Layer.Success<typeof Outside>, E, R>
) => Layer.unwrap(Effect.map(server.configure(env), (configured) => compose(configured, outside)))

/** What the object of a user needs to host sessions, built from the object's environment. */
export const account = (server: Server, env: Env, events: OwnEvents) =>
  Layer.unwrap(
    Effect.map(server.configure(env), ({ info, config, catalogue }) =>
      Layer.mergeAll(servers(catalogue), SecureRandom.layerWebCrypto).pipe(
        Layer.provideMerge(authority(Access.layer, events)),
        Layer.provideMerge(Outside),
        Layer.provideMerge(info),
        Layer.provideMerge(Layer.succeed(AppConfig, config))
      )
    )
  ).pipe(
    Layer.provideMerge(Log.layer),
    // The Worker serves nothing but a list of what is missing, so that no object is ever reached without settings.
    Layer.orDie
  )

/**
 * A server as a host runs it, built once from the host's environment. Settings that are missing or malformed make it one
 * page that names them. `keepAlive` is the host's `waitUntil`.
 */
export const handler = (
  server: Server,
  env: Env,
  keepAlive: (work: Promise<unknown>) => void
): ((request: Request) => Promise<Response>) => {
  const host = Layer.merge(Log.layer, Layer.succeed(KeepAlive, keepAlive))
  const options = { disableLogger: true }
  return Effect.runSync(
    Effect.match(server.configure(env), {
      onFailure: (error) =>
        HttpRouter.toWebHandler(Layer.provideMerge(Layer.merge(misconfigured(error), answerHeaders), host), options),
      onSuccess: (configured) =>
        HttpRouter.toWebHandler(Layer.provideMerge(compose(configured, Outside), host), options)
    })
  ).handler
}
