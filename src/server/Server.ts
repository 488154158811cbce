import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

import { Access } from "./access/Access.ts"
import * as CircuitBreaker from "./access/CircuitBreaker.ts"
import { ClerkSessionTokens } from "./access/ClerkSessionTokens.ts"
import { operatorFaults, Operators } from "./access/Operators.ts"
import * as Policy from "./access/Policy.ts"
import { RateLimits } from "./access/RateLimits.ts"
import * as AccountChanges from "./account/AccountChanges.ts"
import * as CallCounts from "./account/CallCounts.ts"
import { ClerkFacts } from "./account/ClerkFacts.ts"
import * as DecisionKeepers from "./account/DecisionKeepers.ts"
import * as UserStores from "./account/UserStores.ts"
import * as AccountAccess from "./account/AccountAccess.ts"
import type { AccountLayer } from "./account/AccountObject.ts"
import { AccountStubs, authorities, ownAuthority } from "./account/AccountStub.ts"
import { Authority } from "./account/Authority.ts"
import * as GrantRecords from "./account/GrantRecords.ts"
import * as RecordedSnapshots from "./account/RecordedSnapshots.ts"
import { ClerkApi } from "./clerk/ClerkApi.ts"
import { ClerkJwt } from "./clerk/ClerkJwt.ts"
import { ClerkOAuth } from "./clerk/ClerkOAuth.ts"
import { AppConfig } from "./config/AppConfig.ts"
import type { ConfigurationError } from "./config/ConfigurationError.ts"
import { KeepAlive } from "./config/KeepAlive.ts"
import { brandFaults, DefinitionError, faultsOf, type ServerDescription, ServerInfo } from "./config/ServerInfo.ts"
import type { SettingsClass } from "./config/Settings.ts"
import { answerHeaders } from "./http/AnswerHeaders.ts"
import { Idempotency } from "./http/Idempotency.ts"
import { misconfigured } from "./http/Misconfigured.ts"
import * as PageBrand from "./http/PageBrand.ts"
import { routes } from "./http/Routes.ts"
import type { Catalogue } from "./mcp/Catalogue.ts"
import { ServerFactory } from "./mcp/ServerFactory.ts"
import { StatelessLane } from "./mcp/StatelessLane.ts"
import * as AppSignIn from "./oauth/AppSignIn.ts"
import * as AuthorizationServer from "./oauth/AuthorizationServer.ts"
import * as ClerkSignIn from "./oauth/ClerkSignIn.ts"
import { GrantCheck } from "./oauth/GrantCheck.ts"
import { Grants, userGrants } from "./oauth/Grants.ts"
import { OAuthLibrary } from "./oauth/OAuthLibrary.ts"
import { OAuthStorage } from "./oauth/OAuthStorage.ts"
import type { SignIn } from "./oauth/SignIn.ts"
import { StateSigner } from "./oauth/StateSigner.ts"
import * as Log from "./observability/Log.ts"
import * as Otlp from "./observability/Otlp.ts"
import { AppApi } from "./capability/AppApi.ts"
import type { UserGrants } from "./capability/UserGrants.ts"
import type { UserStore } from "./capability/UserStore.ts"
import { type UserStoreOptions, limitsOf, UserStoreLimits } from "./capability/UserStoreWrite.ts"

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

/** The authorization server in the Worker. What it says of a user, the user's object says. */
const authorizationServer = AuthorizationServer.layer.pipe(
  Layer.provide([AccountAccess.grantStorage, GrantCheck.layerElsewhere]),
  Layer.provideMerge(AccountAccess.access),
  Layer.provideMerge(authorities),
  Layer.provideMerge(Layer.mergeAll(StateSigner.layer, ClerkSessionTokens.layer, AccountStubs.layer))
)

/** The authority over one user, in the user's object or in its stand-in. */
const authorityOver = ({ userId, events }: Parameters<AccountLayer>[0]) =>
  Grants.layer.pipe(
    Layer.provide(ownAuthority(userId)),
    Layer.provideMerge(Authority.layer(userId)),
    Layer.provide(OAuthLibrary.layer),
    Layer.provide([GrantRecords.grantStorage, GrantCheck.layer]),
    Layer.provideMerge(Layer.merge(Access.layer, ClerkSessionTokens.layer)),
    Layer.provide([events, RecordedSnapshots.layer]),
    Layer.provideMerge(Layer.mergeAll(StateSigner.layer, AccountStubs.layer))
  )

/** What a sign-in needs. */
type SignInNeeds = Access | AppConfig | OAuthLibrary | ClerkApi | ClerkJwt | ClerkOAuth | StateSigner

/** Who may do what, and how they prove it. */
const Authorization = Layer.unwrap(
  Effect.map(AppConfig, (config): Layer.Layer<SignIn, never, SignInNeeds> =>
    config.SIGN_IN === "clerk" ? ClerkSignIn.layer : AppSignIn.layer(config.APP_URL)
  )
).pipe(Layer.provideMerge(authorizationServer))

/** What the library lends to what clients can use, beside the services of each request. */
type Lent = AppApi | AppConfig | UserGrants | UserStore

/** What clients can use, as a layer that may need the team's settings. */
type CatalogueLayer<Own = never> = Layer.Layer<Catalogue, never, Own | Lent>

/** A team's server: what it is called, what can be granted, its settings if it has some, and what clients can use. */
export interface ServerDefinition<Settings extends ReadonlyArray<unknown> = []> extends ServerDescription {
  /** The classes of the settings that the catalogue reads. */
  readonly settings?: { readonly [At in keyof Settings]: SettingsClass<Settings[At]> }
  readonly catalogue: CatalogueLayer<Settings[number]>
  /**
   * Who may look at the connections of others and end them, on the account page: by the role of the account, as there is
   * neither a token nor an organization. Nobody, unless it is set.
   */
  readonly operators?: Policy.Policy
  /** What is kept for one user by `UserStore`, if not 64 KiB in a value and 1 MiB in all, and 7 days more once deleted. */
  readonly userStore?: Partial<UserStoreOptions>
}

type Env = Readonly<Record<string, unknown>>

/** The settings of a server, and its catalogue with those of the team in it. */
interface Configured {
  /** What the server is called and can grant, and what it keeps for a user. */
  readonly info: Layer.Layer<ServerInfo, never, AppConfig>
  readonly config: AppConfig["Service"]
  readonly catalogue: CatalogueLayer
}

/** A server that can be given settings. */
export interface Server {
  /** What it is, as far as that needs no settings. */
  readonly description: ServerDescription
  /** What clients can use, before it is given what it needs. */
  readonly catalogue: Layer.Layer<Catalogue, never, unknown>
  /**
   * Fails with what is wrong in the definition itself, or with every setting that is missing or malformed in `env`, the
   * server's and the team's.
   */
  readonly configure: (env: Env) => Effect.Effect<Configured, ConfigurationError | DefinitionError>
}

/** Takes a team's definition. */
export const define = <Settings extends ReadonlyArray<unknown> = []>(
  definition: ServerDefinition<Settings>
): Server => {
  const operators = definition.operators ?? Policy.nobody
  const faults = [...faultsOf(definition), ...operatorFaults(operators)]
  const info = Layer.mergeAll(
    ServerInfo.layer(definition),
    Layer.succeed(Operators, operators),
    Layer.succeed(UserStoreLimits, limitsOf(definition.userStore))
  )
  const configured = (env: Env) =>
    Effect.map(AppConfig.decodeWith(env, definition.settings ?? []), ({ config, own }) => {
      const catalogue = Layer.provide(definition.catalogue, Layer.succeedContext(own))
      // The type of the definition says that these settings are the ones which the catalogue needs.
      // @effect-diagnostics-next-line unsafeEffectTypeAssertion:off
      return { info, config, catalogue: catalogue as CatalogueLayer } // oxlint-disable-line typescript/no-unsafe-type-assertion
    })
  return {
    description: definition,
    catalogue: definition.catalogue,
    configure: (env) => (faults.length > 0 ? Effect.fail(new DefinitionError({ faults })) : configured(env))
  }
}

/** A catalogue as servers of the protocol: the same ones in every lane. */
const servers = (catalogue: CatalogueLayer) =>
  ServerFactory.layer.pipe(
    Layer.provide(catalogue),
    Layer.provide(AppApi.layerOfSettings.pipe(Layer.provideMerge(userGrants)))
  )

/** Requests that stand for themselves are served here, those of sessions by the object of their user. */
const statelessLane = (catalogue: CatalogueLayer) =>
  StatelessLane.layer.pipe(
    Layer.provideMerge(
      Layer.provide(servers(catalogue), [UserStores.ofAccounts, CallCounts.ofAccounts, DecisionKeepers.ofAccounts])
    ),
    Layer.provide(AccountChanges.layer)
  )

/** How the pages of a server look, those that tell that it is not set up among them. */
const branded = ({ description: { title, brand = {} } }: Server): Layer.Layer<never> =>
  PageBrand.layer(title, brandFaults(brand).length > 0 ? {} : brand)

/** The whole application of a configured server on a given outside world. */
const compose = <E, R>(
  { info, config, catalogue }: Configured,
  outside: Layer.Layer<Layer.Success<typeof Outside>, E, R>
) =>
  routes.pipe(
    Layer.provide(statelessLane(catalogue)),
    Layer.catchTag("DefinitionError", misconfigured),
    Layer.merge(answerHeaders),
    Layer.provideMerge(Idempotency.layer),
    Layer.provideMerge(RateLimits.layer),
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
) =>
  Layer.unwrap(Effect.map(server.configure(env), (configured) => compose(configured, outside))).pipe(
    Layer.provideMerge(branded(server))
  )

/** Exports traces, metrics and logs where a collector is named. */
const telemetry = (
  { description }: Server,
  config: AppConfig["Service"],
  keepAlive: KeepAliveOf
): Layer.Layer<never> => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers, OTEL_SERVICE_NAME: name } = config
  if (endpoint === undefined) return Layer.empty
  return Otlp.layer({
    endpoint,
    headers: headers === undefined ? {} : headersOf(Redacted.value(headers)),
    serviceName: name ?? description.name,
    serviceVersion: description.version,
    keepAlive
  })
}

/** As OpenTelemetry writes headers in a variable: W3C Baggage without properties. */
const headersOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split(",").flatMap((entry) => {
      const [name = "", ...value] = entry.split("=")
      const text = value.join("=").trim()
      return value.length === 0
        ? []
        : [
            [
              name.trim(),
              Result.getOrElse(
                Result.try(() => decodeURIComponent(text)),
                () => text
              )
            ]
          ]
    })
  )

type KeepAliveOf = (work: Promise<unknown>) => void

/** Objects and Worker of one isolate leave Clerk alone together. */
const sharedRateLimit = Layer.succeed(CircuitBreaker.SharedRateLimit, { last: undefined })

/** What the object of a user needs, built from the object's environment. */
export const account = (
  server: Server,
  env: Env,
  user: Parameters<AccountLayer>[0],
  keepAlive: KeepAliveOf = () => {}
) =>
  Layer.unwrap(
    Effect.map(server.configure(env), ({ info, config, catalogue }) =>
      Layer.mergeAll(
        Layer.provide(servers(catalogue), [UserStores.inObject, CallCounts.inObject, DecisionKeepers.inObject]),
        ClerkFacts.layer,
        RateLimits.layer,
        SecureRandom.layerWebCrypto
      ).pipe(
        Layer.provideMerge(authorityOver(user)),
        Layer.provideMerge(Outside),
        Layer.provideMerge(info),
        Layer.provideMerge(Layer.succeed(AppConfig, config)),
        Layer.provideMerge(telemetry(server, config, keepAlive))
      )
    )
  ).pipe(
    Layer.provideMerge(Layer.merge(Log.layer, sharedRateLimit)),
    // The Worker sends no request to an object without settings. One that an alarm wakes does not start then, and its jobs
    // wait until they are set.
    Layer.orDie
  )

/** The authority over a user by itself, on a given outside world: for tests, whose users have no objects. */
export const authority = <E, R>(
  server: Server,
  env: Env,
  outside: Layer.Layer<Layer.Success<typeof Outside>, E, R>,
  user: Parameters<AccountLayer>[0]
) =>
  Layer.unwrap(
    Effect.map(server.configure(env), ({ info, config }) =>
      authorityOver(user).pipe(
        Layer.provideMerge(outside),
        Layer.provideMerge(info),
        Layer.provideMerge(Layer.succeed(AppConfig, config))
      )
    )
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
  const host = Layer.mergeAll(Log.layer, sharedRateLimit, Layer.succeed(KeepAlive, keepAlive), branded(server))
  const options = { disableLogger: true }
  return Effect.runSync(
    Effect.match(server.configure(env), {
      onFailure: (error) =>
        HttpRouter.toWebHandler(Layer.provideMerge(Layer.merge(misconfigured(error), answerHeaders), host), options),
      onSuccess: (configured) =>
        HttpRouter.toWebHandler(
          compose(configured, Outside).pipe(
            Layer.provideMerge(telemetry(server, configured.config, keepAlive)),
            Layer.provideMerge(host)
          ),
          options
        )
    })
  ).handler
}
