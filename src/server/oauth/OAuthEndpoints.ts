import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"

import { AppConfig } from "../config/AppConfig.ts"
import * as Scope from "../domain/Scope.ts"
import {
  AuthorizationFailure,
  ClientNotAllowed,
  RequestRejected,
  StorageUnavailable,
  trustedRedirect,
  type TrustedRedirect
} from "./AuthorizationFailure.ts"
import { ambiguous, promptsOf, refusalOf } from "./AuthorizationParameters.ts"
import { isAddress, servedByItsAddress } from "./ClientDocument.ts"
import { makeClientRules } from "./ClientRules.ts"
import { attempt, type AuthRequest, OAuthLibrary } from "./OAuthLibrary.ts"
import { isRedirectUri, redirectUriRule } from "./RedirectUri.ts"
import { intended } from "./Resource.ts"

/** The endpoints of the OAuth 2.1 authorization server that MCP clients talk to. */
export class OAuthEndpoints extends Context.Service<
  OAuthEndpoints,
  {
    /**
     * Answers `/token` (RFC 6749, RFC 7009), `/register` (RFC 7591) and the server's metadata (RFC 8414). A token request
     * may be for the resource with this identifier.
     */
    readonly answer: (request: Request, resource?: string) => Effect.Effect<Response, StorageUnavailable>
    /**
     * Checks an authorization request: client, redirect URI, PKCE S256, resource, scopes. A client that the settings do
     * not let connect is not told: its redirect leads where this server sends nobody.
     */
    readonly parse: (request: Request) => Effect.Effect<AuthRequest, AuthorizationFailure>
  }
>()("oauth/OAuthEndpoints") {
  static readonly layer = Layer.effect(
    OAuthEndpoints,
    Effect.gen(function* () {
      const { PUBLIC_URL: publicUrl, SIGN_IN: signIn } = yield* AppConfig
      const { env, forResource, freshContext, helpers, scopes } = yield* OAuthLibrary
      const http = yield* HttpClient.HttpClient
      const rules = yield* makeClientRules
      const known: ReadonlySet<string> = new Set(scopes)

      /** Fails for a client that the settings do not let connect. */
      const allowed = (clientId: string, redirectUris: ReadonlyArray<string>) => {
        const description = rules.faultOf({ clientId, redirectUris })
        return description === undefined
          ? Effect.void
          : Effect.fail(new AuthorizationFailure({ reason: new ClientNotAllowed({ description }) }))
      }

      /** Every redirect URI that a client has and could be registered with. */
      const redirectUrisOf = (clientId: string) =>
        Effect.map(
          attempt("lookupClient", () => helpers.lookupClient(clientId)),
          (client) => rules.taken(client?.redirectUris ?? [])
        )

      return OAuthEndpoints.of({
        // What the library throws here comes from the storage: it answers the rest itself.
        answer: (request, resource) =>
          Effect.tryPromise({
            try: () => forResource(resource).provider.fetch(request, env, freshContext()),
            catch: (cause) => new StorageUnavailable({ operation: new URL(request.url).pathname, cause })
          }),

        parse: Effect.fn("OAuthEndpoints.parse")(function* (request) {
          const parameters = new URL(request.url).searchParams
          const twice = ambiguous(parameters)
          if (twice !== undefined) return yield* rejected("invalid_request", `The parameter ${twice} was sent twice`)
          const redirectUri = parameters.get("redirect_uri")
          if (redirectUri !== null && !isRedirectUri(redirectUri)) {
            return yield* rejected("invalid_request", redirectUriRule)
          }
          const clientId = parameters.get("client_id") ?? ""
          // Before anything is fetched from an address of the client's choice.
          yield* allowed(clientId, redirectUri === null ? [] : [redirectUri])
          if (isAddress(clientId)) {
            yield* Effect.provideService(servedByItsAddress(publicUrl, clientId), HttpClient.HttpClient, http)
          }
          const intendedRequest = withIntendedResource(publicUrl, request)
          const resource = new URL(intendedRequest.url).searchParams.get("resource") ?? undefined
          const authRequest = yield* attempt("parseAuthRequest", () =>
            forResource(resource).helpers.parseAuthRequest(intendedRequest)
          )
          // A client that names none has registered one, perhaps before there was this rule.
          if (!isRedirectUri(authRequest.redirectUri)) return yield* rejected("invalid_request", redirectUriRule)
          const others = rules.byHosts ? yield* redirectUrisOf(authRequest.clientId) : []
          yield* allowed(authRequest.clientId, [authRequest.redirectUri, ...others])
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
        })
      })
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))
}

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
