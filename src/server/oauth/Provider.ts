import {
  AuthorizationError,
  CimdFetchError,
  OAuthAuthorizationServer,
  OAuthError
} from "@cloudflare/workers-oauth-provider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import { GrantProps } from "../domain/Principal.ts"
import type * as Scope from "../domain/Scope.ts"
import {
  AuthorizationFailure,
  ClientUnverifiable,
  RequestRejected,
  StorageUnavailable
} from "./AuthorizationFailure.ts"
import type { OAuthStorage } from "./OAuthStorage.ts"
import { address } from "./Resource.ts"
import { makeStanding } from "./Standing.ts"

/** What the library reads of the Worker's environment. */
export interface ProviderEnv {
  readonly OAUTH_KV: Omit<OAuthStorage["Service"], "get"> & {
    readonly get: (key: string, options: KVNamespaceGetOptions<"json">) => Promise<unknown>
  }
}

const decodeGrantProps = Schema.decodeUnknownEffect(GrantProps)

const accessTokenLifetime = Duration.toSeconds("1 hour")
/** A connection that is used stays; one that was left alone this long asks for a new sign-in. */
const idleGrantLifetime = Duration.toSeconds("30 days")

/**
 * The library, set up once: it caches keys. No code and no refresh token yields an access token for a grant that no
 * longer stands, and such a grant is lost on the way.
 */
export const makeProvider = Effect.fnUntraced(function* (scopes: ReadonlyArray<Scope.Scope>) {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const standing = yield* makeStanding
  const context = yield* Effect.context()
  const run = Effect.runPromiseWith(context)

  const refuse = (subject: unknown) =>
    decodeGrantProps(subject).pipe(
      Effect.flatMap(standing),
      Effect.catchTags({
        SchemaError: () => Effect.succeed(new OAuthError("invalid_grant", { description: "Unknown user" })),
        ClerkSessionUnknown: ({ message }) =>
          Effect.succeed(
            new OAuthError("temporarily_unavailable", {
              description: message,
              statusCode: 503,
              headers: { "Retry-After": "5" }
            })
          ),
        ClerkSessionEnded: ({ message }) => Effect.succeed(new OAuthError("invalid_grant", { description: message }))
      }),
      Effect.catchReasons("AccessError", {
        AccountClosed: (reason) => Effect.succeed(new OAuthError("invalid_grant", { description: reason.message })),
        AccessUnknown: (reason) =>
          Effect.succeed(
            new OAuthError("temporarily_unavailable", {
              description: reason.message,
              statusCode: 503,
              headers: { "Retry-After": String(reason.retryAfterSeconds) }
            })
          )
      })
    )

  return new OAuthAuthorizationServer<ProviderEnv>({
    issuer: publicUrl.origin,
    authorizeEndpoint: new URL("/authorize", publicUrl).href,
    tokenEndpoint: new URL("/token", publicUrl).href,
    clientRegistrationEndpoint: new URL("/register", publicUrl).href,
    clientIdMetadataDocumentEnabled: true,
    resources: [address(publicUrl, "/mcp"), address(publicUrl, "/sse")],
    defaultResource: address(publicUrl, "/mcp"),
    scopesSupported: [...scopes],
    allowPrivateUseRedirectUris: true,
    accessTokenTTL: accessTokenLifetime,
    refreshTokenIdleTTL: idleGrantLifetime,
    tokenExchangeCallback: async ({ props }) => {
      const refusal = await run(refuse(props))
      if (refusal !== undefined) throw refusal
    },
    onError: ({ code, status, internal }) => {
      Effect.runSyncWith(context)(
        Effect.logInfo("OAuth request refused").pipe(
          Effect.annotateLogs({ code, status, category: internal.category, reason: internal.reason })
        )
      )
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

/** The library writes `props` and `auth` on the context it is given, so each request gets one of its own. */
export const executionContext = (waitUntil: (work: Promise<unknown>) => void) => () =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the library calls `waitUntil` and nothing else
  ({ waitUntil, passThroughOnException: () => {}, props: {} }) as ExecutionContext
