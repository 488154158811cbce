import type { AuthRequest as CheckedRequest, ConsentDescription } from "@cloudflare/workers-oauth-provider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

import { AppConfig } from "../config/AppConfig.ts"
import { KeepAlive } from "../config/KeepAlive.ts"
import { ServerInfo } from "../config/ServerInfo.ts"
import {
  ClientId,
  CurrentPrincipal,
  GrantId,
  type Principal,
  type GrantProps,
  type UserId
} from "../domain/Principal.ts"
import * as Scope from "../domain/Scope.ts"
import {
  AuthorizationFailure,
  RequestRejected,
  StorageUnavailable,
  trustedRedirect,
  type TrustedRedirect
} from "./AuthorizationFailure.ts"
import { ambiguous, type Prompt, promptsOf, refusalOf } from "./AuthorizationParameters.ts"
import { isAddress, servedByItsAddress } from "./ClientDocument.ts"
import * as Endings from "./Endings.ts"
import { makeGuard } from "./Guard.ts"
import { OAuthStorage } from "./OAuthStorage.ts"
import { attempt, executionContext, makeProvider } from "./Provider.ts"
import { isRedirectUri, redirectUriRule } from "./RedirectUri.ts"
import { intended, type Resource } from "./Resource.ts"
import { StateSigner } from "./StateSigner.ts"

export type { ConsentDescription }

/** An authorization request that was checked. The library keeps what is added here with the rest. */
export interface AuthRequest extends CheckedRequest {
  /** What the client wants the person to be asked anew. */
  readonly prompt?: ReadonlyArray<Prompt>
}

/** One connection of one client. */
export interface Grant {
  readonly id: GrantId
  readonly clientId: ClientId
  readonly scopes: ReadonlyArray<string>
}

/** A step that leaves cookies behind: whoever answers the browser sends these headers along. */
export interface WithHeaders {
  readonly headers: Headers
}

/**
 * The OAuth 2.1 authorization server that MCP clients talk to, and the guard of its resources. Runs
 * `@cloudflare/workers-oauth-provider`, adds what is this server's to decide, and gives its failures types.
 */
export class AuthorizationServer extends Context.Service<
  AuthorizationServer,
  {
    /** Every scope that this server grants, in the order in which the consent page lists them. */
    readonly scopes: ReadonlyArray<Scope.Scope>
    /** Answers `/token` (RFC 6749, RFC 7009), `/register` (RFC 7591) and the server's metadata (RFC 8414). */
    readonly endpoints: (request: Request) => Effect.Effect<Response, StorageUnavailable>
    /** Answers with the metadata of a resource (RFC 9728), wherever it was asked for. */
    readonly resourceMetadata: (resource: Resource, request: Request) => Effect.Effect<Response>
    /**
     * Serves a request only with an access token for this resource that carries the baseline scope, and provides the
     * token's identity. Answers 401 and 403 with their challenges otherwise (RFC 6750, RFC 9728).
     */
    readonly guard: <R>(
      resource: Resource,
      request: Request,
      serve: Effect.Effect<Response, never, R>
    ) => Effect.Effect<Response, never, Exclude<R, CurrentPrincipal>>
    /** Checks an authorization request: client, redirect URI, PKCE S256, resource, scopes. */
    readonly parse: (request: Request) => Effect.Effect<AuthRequest, AuthorizationFailure>
    /** What the consent page has to show. The client chose most of it: escape it. */
    readonly describe: (authRequest: AuthRequest) => Effect.Effect<ConsentDescription, AuthorizationFailure>
    /** The request with the scopes that this browser remembers as approved, if they cover what is asked for. */
    readonly remembered: (
      request: Request,
      authRequest: AuthRequest
    ) => Effect.Effect<AuthRequest | undefined, AuthorizationFailure>
    /** Opens a consent page: `handle` goes into its form, works once, for 10 minutes, in this browser. */
    readonly beginConsent: (
      authRequest: AuthRequest
    ) => Effect.Effect<WithHeaders & { readonly handle: string }, AuthorizationFailure>
    /** Takes the form back: the request as stored, with the scopes that the person ticked. */
    readonly approve: (
      request: Request,
      handle: string,
      choice: { readonly scopes: ReadonlyArray<string>; readonly remember: boolean }
    ) => Effect.Effect<WithHeaders & { readonly authRequest: AuthRequest }, AuthorizationFailure>
    /** Takes the form back declined: where the client learns of it. */
    readonly deny: (
      request: Request,
      handle: string
    ) => Effect.Effect<WithHeaders & { readonly redirectTo: string }, AuthorizationFailure>
    /** Keeps an approved request, and `data` with it, under a handle that works once, for 10 minutes, in this browser. */
    readonly suspend: (
      authRequest: AuthRequest,
      data: unknown,
      headers: Headers
    ) => Effect.Effect<WithHeaders & { readonly handle: string }, AuthorizationFailure>
    /** Gives back what `suspend` kept. */
    readonly resume: (
      request: Request,
      handle: string
    ) => Effect.Effect<
      WithHeaders & { readonly authRequest: AuthRequest; readonly data: unknown },
      AuthorizationFailure
    >
    /** The ids of all grants of a user, with the clients that hold them. */
    readonly grants: (userId: UserId) => Effect.Effect<ReadonlyArray<Grant>, AuthorizationFailure>
    /** Ends a grant of a user: its tokens, and what is open under it. One that is gone already counts as ended. */
    readonly revoke: (userId: UserId, grantId: GrantId) => Effect.Effect<void, AuthorizationFailure>
    /** Grants: the redirect that hands the client its code, with `state` and `iss` (RFC 9207). */
    readonly complete: (authRequest: AuthRequest, subject: GrantProps) => Effect.Effect<string, AuthorizationFailure>
  }
>()("oauth/AuthorizationServer") {
  static readonly layer = Layer.effect(
    AuthorizationServer,
    Effect.gen(function* () {
      const { PUBLIC_URL: publicUrl, SIGN_IN: signIn } = yield* AppConfig
      const scopes = [...(yield* ServerInfo).scopes.keys()]
      const signer = yield* StateSigner
      const freshContext = executionContext(yield* KeepAlive)
      const env = { OAUTH_KV: yield* OAuthStorage }
      const provider = yield* makeProvider(scopes)
      const guards = { "/mcp": yield* makeGuard(provider, "/mcp"), "/sse": yield* makeGuard(provider, "/sse") }
      const known: ReadonlySet<string> = new Set(scopes)
      const helpers = provider.getOAuthApi(env)
      const http = yield* HttpClient.HttpClient
      const rememberSecret = Effect.map(signer.secretFor("remembered consent"), Redacted.value)

      return AuthorizationServer.of({
        scopes,

        // What the library throws here comes from the storage: it answers the rest itself.
        endpoints: (request) =>
          Effect.tryPromise({
            try: () => provider.fetch(request, env, freshContext()),
            catch: (cause) => new StorageUnavailable({ operation: new URL(request.url).pathname, cause })
          }),

        resourceMetadata: (resource, request) => {
          const wellKnown = new URL(`/.well-known/oauth-protected-resource${resource}`, publicUrl)
          return Effect.promise(() =>
            guards[resource].fetch(new Request(wellKnown, request), { ...env, serve: nothing }, freshContext())
          )
        },

        guard: <R>(resource: Resource, request: Request, serve: Effect.Effect<Response, never, R>) =>
          Effect.contextWith((context: Context.Context<Exclude<R, CurrentPrincipal>>) => {
            const serveAs = (principal: Principal) => Effect.provideService(serve, CurrentPrincipal, principal)
            return Effect.promise((signal) =>
              guards[resource].fetch(
                request,
                { ...env, serve: (principal) => Effect.runPromiseWith(context)(serveAs(principal), { signal }) },
                freshContext()
              )
            )
          }),

        parse: Effect.fn("AuthorizationServer.parse")(function* (request) {
          const parameters = new URL(request.url).searchParams
          const twice = ambiguous(parameters)
          if (twice !== undefined) return yield* rejected("invalid_request", `The parameter ${twice} was sent twice`)
          const redirectUri = parameters.get("redirect_uri")
          if (redirectUri !== null && !isRedirectUri(redirectUri)) {
            return yield* rejected("invalid_request", redirectUriRule)
          }
          const clientId = parameters.get("client_id") ?? ""
          if (isAddress(clientId)) {
            yield* Effect.provideService(servedByItsAddress(publicUrl, clientId), HttpClient.HttpClient, http)
          }
          const authRequest = yield* attempt("parseAuthRequest", () =>
            helpers.parseAuthRequest(withIntendedResource(publicUrl, request))
          )
          // A client that names none has registered one, perhaps before there was this rule.
          if (!isRedirectUri(authRequest.redirectUri)) return yield* rejected("invalid_request", redirectUriRule)
          const redirect = trustedRedirect(authRequest)
          const refusal = refusalOf(parameters, signIn === "clerk")
          if (refusal !== undefined) return yield* rejected(refusal.code, refusal.description, redirect)
          if (!authRequest.codeChallenge) {
            return yield* rejected("invalid_request", "code_challenge is required (PKCE, S256)", redirect)
          }
          const asked = authRequest.scope.filter((scope) => !openIdScopes.has(scope))
          const unknown = asked.filter((scope) => !known.has(scope))
          if (unknown.length > 0) {
            return yield* rejected("invalid_scope", `This server knows the scopes ${scopes.join(" ")}`, redirect)
          }
          return { ...authRequest, scope: [...new Set([Scope.baseline, ...asked])], prompt: promptsOf(parameters) }
        }),

        describe: (authRequest) => attempt("describeConsent", () => helpers.describeConsent(authRequest)),

        remembered: Effect.fn("AuthorizationServer.remembered")(function* (request, authRequest) {
          const secret = yield* rememberSecret
          const covers = (scope: Array<string>) =>
            attempt("isConsentRemembered", () =>
              helpers.isConsentRemembered(request, { ...authRequest, scope }, { secret })
            )
          if (!(yield* covers(authRequest.scope))) return undefined
          const approved = yield* Effect.filter(scopes, (scope) => covers([...authRequest.scope, scope]))
          return { ...authRequest, scope: [...approved] }
        }),

        beginConsent: (authRequest) => attempt("beginConsent", () => helpers.beginConsent(authRequest)),

        approve: Effect.fn("AuthorizationServer.approve")(function* (request, handle, { scopes, remember }) {
          const secret = yield* rememberSecret
          const approved = yield* attempt("approveConsent", () =>
            helpers.approveConsent(request, handle, {
              scope: [...new Set([Scope.baseline, ...scopes])],
              ...(remember && { remember: { secret } })
            })
          )
          return { authRequest: approved.request, headers: approved.headers }
        }),

        deny: (request, handle) => attempt("denyConsent", () => helpers.denyConsent(request, handle)),

        suspend: Effect.fn("AuthorizationServer.suspend")(function* (authRequest, data, headers) {
          const kept = yield* attempt("beginUpstream", () => helpers.beginUpstream(authRequest, { data, headers }))
          return { handle: kept.state, headers: kept.headers }
        }),

        resume: Effect.fn("AuthorizationServer.resume")(function* (request, handle) {
          const url = new URL(request.url)
          url.searchParams.set("state", handle)
          const kept = yield* attempt("finishUpstream", () =>
            helpers.finishUpstream(new Request(url, { headers: request.headers }))
          )
          return { authRequest: kept.request, data: kept.data, headers: kept.headers }
        }),

        grants: Effect.fn("AuthorizationServer.grants")(function* (userId) {
          const grants: Array<Grant> = []
          let cursor: string | undefined
          do {
            const from = cursor
            const page = yield* attempt("listUserGrants", () =>
              helpers.listUserGrants(userId, from === undefined ? {} : { cursor: from })
            )
            grants.push(
              ...page.items.map(({ id, clientId, scope }) => ({
                id: GrantId.make(id),
                clientId: ClientId.make(clientId),
                scopes: scope
              }))
            )
            cursor = page.cursor
          } while (cursor !== undefined)
          return grants
        }),

        revoke: Effect.fn("AuthorizationServer.revoke")((userId, grantId) =>
          attempt("revokeGrant", () => helpers.revokeGrant(grantId, userId))
        ),

        complete: Effect.fn("AuthorizationServer.complete")(function* (authRequest, subject) {
          const granted = yield* attempt("completeAuthorization", () =>
            helpers.completeAuthorization({
              request: authRequest,
              userId: subject.userId,
              metadata: {},
              scope: authRequest.scope,
              props: subject,
              // A second machine of the same person does not sign the first one out.
              revokeExistingGrants: false
            })
          )
          return granted.redirectTo
        })
      })
    })
  ).pipe(Layer.provide(Layer.merge(FetchHttpClient.layer, Endings.layer)))
}

const nothing = () => Promise.resolve(new Response(null, { status: 404 }))

const withIntendedResource = (publicUrl: URL, request: Request): Request => {
  const url = new URL(request.url)
  const asked = url.searchParams.getAll("resource")
  if (asked.length !== 1) return request
  url.searchParams.set("resource", intended(publicUrl, asked[0] ?? ""))
  return new Request(url, request)
}

/** Scopes that OpenID clients add out of habit. They ask for nothing that this server could grant or refuse. */
const openIdScopes = new Set(["openid", "profile", "email", "offline_access"])

const rejected = (code: RequestRejected["code"], description: string, redirect?: TrustedRedirect) =>
  new AuthorizationFailure({
    reason: new RequestRejected({ code, description }),
    ...(redirect !== undefined && { redirect })
  })
