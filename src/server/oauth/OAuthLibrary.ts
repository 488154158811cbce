import {
  AuthorizationError,
  type AuthRequest as CheckedRequest,
  CimdFetchError,
  OAuthAuthorizationServer,
  OAuthError,
  type OAuthHelpers
} from "@cloudflare/workers-oauth-provider"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Lru } from "../access/Lru.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import { ServerInfo } from "../config/ServerInfo.ts"
import { GrantProps } from "../domain/Principal.ts"
import type * as Scope from "../domain/Scope.ts"
import * as Log from "../observability/Log.ts"
import {
  AuthorizationFailure,
  ClientUnverifiable,
  RequestRejected,
  StorageUnavailable
} from "./AuthorizationFailure.ts"
import { makeClientRules } from "./ClientRules.ts"
import type { Prompt } from "./AuthorizationParameters.ts"
import { answerTo, GrantCheck, GrantRefused, GrantUnreadable } from "./GrantCheck.ts"
import { GrantStorage, type KeyValues, OAuthStorage, routed } from "./OAuthStorage.ts"
import { address, type Resource, resourceOf, slugOf } from "./Resource.ts"

/** An authorization request that was checked. The library keeps what is added here with the rest. */
export interface AuthRequest extends CheckedRequest {
  /** What the client wants the person to be asked anew. */
  readonly prompt?: ReadonlyArray<Prompt>
}

/** A step that leaves cookies behind: whoever answers the browser sends these headers along. */
export interface WithHeaders {
  readonly headers: Headers
}

/** What the library reads of the Worker's environment. */
export interface ProviderEnv {
  readonly OAUTH_KV: Omit<KeyValues, "get"> & {
    readonly get: (key: string, options: KVNamespaceGetOptions<"json">) => Promise<unknown>
  }
}

const decodeGrantProps = Schema.decodeUnknownEffect(GrantProps)

/** How long an access token is good, in minutes, unless `ACCESS_TOKEN_MINUTES` says so. */
const accessTokenMinutes = 60
/** A connection that is used stays; one that was left alone this many days asks for a new sign-in. */
const refreshTokenDays = 30

/** How long tokens are good where they are not used, in seconds. */
export const lifetimes = ({
  ACCESS_TOKEN_MINUTES: minutes = accessTokenMinutes,
  REFRESH_TOKEN_DAYS: days = refreshTokenDays
}: AppConfig["Service"]) => ({
  accessToken: Duration.toSeconds(Duration.minutes(minutes)),
  refreshToken: Duration.toSeconds(Duration.days(days))
})

/** Refuses a code or a refresh token whose grant is not good (RFC 6749, section 5.2). */
const refusal = ({ reason }: GrantRefused) => {
  const { error, description, retryAfter } = answerTo(reason)
  return new OAuthError(error, {
    description,
    ...(retryAfter !== undefined && { statusCode: 503, headers: { "Retry-After": String(retryAfter) } })
  })
}

/** How many lines a minute and an isolate tell of refused requests: anybody can cause them. */
const mostRefusals = 60

/** Makes providers, each of which also knows the resource of one organization if it is told of one. */
const makeProviders = Effect.fnUntraced(function* (scopes: ReadonlyArray<Scope.Scope>) {
  const config = yield* AppConfig
  const { PUBLIC_URL: publicUrl } = config
  const { registration, privateUse } = yield* makeClientRules
  const { accessToken, refreshToken } = lifetimes(config)
  const { check } = yield* GrantCheck
  const context = yield* Effect.context()
  const run = Effect.runPromiseWith(context)
  const bounded = Log.bounded(mostRefusals)

  const refusalOf = (props: unknown) =>
    decodeGrantProps(props).pipe(
      Effect.mapError(() => new GrantRefused({ reason: new GrantUnreadable() })),
      Effect.flatMap(check),
      Effect.match({ onSuccess: () => undefined, onFailure: refusal })
    )

  return (further?: Resource) =>
    new OAuthAuthorizationServer<ProviderEnv>({
      issuer: publicUrl.origin,
      authorizeEndpoint: new URL("/authorize", publicUrl).href,
      tokenEndpoint: new URL("/token", publicUrl).href,
      ...(registration && { clientRegistrationEndpoint: new URL("/register", publicUrl).href }),
      clientIdMetadataDocumentEnabled: true,
      resources: [...resources, ...(further === undefined ? [] : [further])].map((each) => address(publicUrl, each)),
      defaultResource: address(publicUrl, "/mcp"),
      scopesSupported: [...scopes],
      allowPrivateUseRedirectUris: privateUse,
      accessTokenTTL: accessToken,
      refreshTokenTTL: refreshToken,
      refreshTokenIdleTTL: refreshToken,
      tokenExchangeCallback: async ({ props }) => {
        const refused = await run(refusalOf(props))
        if (refused !== undefined) throw refused
      },
      onError: ({ code, status, internal }) => {
        const { category, reason } = internal
        const line = Effect.annotateLogs(Effect.logInfo("OAuth request refused"), { code, status, category, reason })
        Effect.runSyncWith(context)(bounded(line))
      }
    })
})

/**
 * Calls the library. What it throws on purpose becomes a typed failure, with the redirect where it is trusted; what it
 * throws besides comes from the storage.
 */
export const attempt = <A>(operation: string, call: () => Promise<A>): Effect.Effect<A, AuthorizationFailure> =>
  Effect.tryPromise({
    try: call,
    catch: (cause) => {
      if (cause instanceof CimdFetchError) {
        return new AuthorizationFailure({ reason: new ClientUnverifiable({ detail: cause.detail }) })
      }
      if (!(cause instanceof AuthorizationError)) {
        return new AuthorizationFailure({ reason: new StorageUnavailable({ operation, cause }) })
      }
      const { code, description, redirectUri, state, issuer } = cause
      return new AuthorizationFailure({
        reason: new RequestRejected({ code, description }),
        ...(redirectUri !== undefined && {
          redirect: { redirectUri, ...(state !== undefined && { state }), ...(issuer !== undefined && { issuer }) }
        })
      })
    }
  })

/** What everybody may connect to, whatever organizations there are. */
const resources = ["/mcp", "/sse"] as const

/** For how many organizations a provider is held: the library knows a resource only if it is told of it when it is made. */
const mostOrganizations = 100

/** The library, as far as it depends on the resources that it knows. */
interface ForResource {
  readonly provider: OAuthAuthorizationServer<ProviderEnv>
  readonly helpers: OAuthHelpers
}

const forResourceBy = (provider: OAuthAuthorizationServer<ProviderEnv>, env: ProviderEnv): ForResource => ({
  provider,
  helpers: provider.getOAuthApi(env)
})

/**
 * `@cloudflare/workers-oauth-provider`, set up once because it caches keys, and shared by all who act through it:
 * endpoints, consent, grants, resource server. No code and no refresh token yields an access token for a grant that is
 * refused, and one that is refused for good ends on the way.
 */
export class OAuthLibrary extends Context.Service<
  OAuthLibrary,
  {
    readonly provider: OAuthAuthorizationServer<ProviderEnv>
    readonly helpers: OAuthHelpers
    /** The same for requests that concern the resource with this identifier, which may be one of an organization. */
    readonly forResource: (identifier: string | undefined) => ForResource
    /** What the library is handed with each request. */
    readonly env: ProviderEnv
    /** An execution context for one request: the library writes `props` and `auth` on it. */
    readonly freshContext: () => ExecutionContext
    /** Every scope that this server grants, in the order in which the consent page lists them. */
    readonly scopes: ReadonlyArray<Scope.Scope>
  }
>()("oauth/OAuthLibrary") {
  static readonly layer = Layer.effect(
    OAuthLibrary,
    Effect.gen(function* () {
      const scopes = [...(yield* ServerInfo).scopes.keys()]
      const waitUntil = yield* KeepAlive
      const env: ProviderEnv = { OAUTH_KV: routed(yield* OAuthStorage, yield* GrantStorage) }
      const { PUBLIC_URL: publicUrl } = yield* AppConfig
      const makeProvider = yield* makeProviders(scopes)
      const main = forResourceBy(makeProvider(), env)
      const ofOrganizations = new Lru<Resource, ForResource>(mostOrganizations)
      const forResource = (identifier: string | undefined): ForResource => {
        const resource = identifier === undefined ? undefined : resourceOf(publicUrl, identifier)
        if (resource === undefined || slugOf(resource) === undefined) return main
        const known = ofOrganizations.get(resource) ?? forResourceBy(makeProvider(resource), env)
        ofOrganizations.set(resource, known)
        return known
      }
      const freshContext = () =>
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the library calls `waitUntil` and nothing else
        ({ waitUntil, passThroughOnException: () => {}, props: {} }) as ExecutionContext
      return OAuthLibrary.of({ ...main, forResource, env, freshContext, scopes })
    })
  )
}
