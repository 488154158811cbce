import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"

import { OAuthEndpoints } from "../oauth/OAuthEndpoints.ts"
import { type Resource, resourceAt } from "../oauth/Resource.ts"
import { ResourceServer } from "../oauth/ResourceServer.ts"
import { endConnections, show, signIn, signOut } from "./Account.ts"
import { ask, decide } from "./Authorize.ts"
import { finish, receive } from "./Callback.ts"
import { makeClerkWebhook } from "./ClerkWebhook.ts"
import { favicon } from "./Favicon.ts"
import { makeHealth } from "./Health.ts"
import { makeLanding, notFound } from "./Landing.ts"
import { makeMcp } from "./Mcp.ts"
import { asOAuthError, asPage, rateLimited } from "./RateLimitedRoute.ts"
import { makeSse, makeSseMessage } from "./Sse.ts"
import { makeExplain } from "./Operator.ts"
import { choose, nothingToChoose } from "./Organization.ts"
import { find, makeExplainPerson, showPerson } from "./People.ts"
import { register } from "./Register.ts"
import { token } from "./Token.ts"
import { withIncidents } from "./Unexpected.ts"
import { fromResponse, webRequest } from "./WebRequest.ts"

/** The server's metadata (RFC 8414). */
const serverMetadata = Effect.gen(function* () {
  const endpoints = yield* OAuthEndpoints
  return fromResponse(yield* Effect.orDie(endpoints.answer(yield* webRequest)))
})

const metadataOf = (resource: Resource) =>
  Effect.gen(function* () {
    const server = yield* ResourceServer
    return fromResponse(yield* server.metadata(resource, yield* webRequest))
  })

const wellKnown = "/.well-known/oauth-protected-resource"

/** The metadata of the resource of an organization: the same for every slug, so that it does not tell which ones exist. */
const metadataOfOrganization = Effect.gen(function* () {
  const resource = resourceAt(new URL((yield* webRequest).url).pathname.slice(wellKnown.length))
  return yield* resource === undefined ? notFound : metadataOf(resource)
})

const route = <E, R>(
  method: Parameters<typeof HttpRouter.route>[0],
  path: HttpRouter.PathInput,
  serve: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) => HttpRouter.route(method, path, withIncidents(serve))

const limitedPage = rateLimited("authorize", asPage)
const limitedAccount = rateLimited("account", asPage)
const limitedCallback = rateLimited("callback", asPage)

/** Every route of the server. */
export const routes = HttpRouter.addAll(
  Effect.gen(function* () {
    const landing = yield* makeLanding
    const explain = yield* makeExplain
    const health = yield* makeHealth
    const explainPerson = yield* makeExplainPerson
    const mcp = yield* makeMcp
    const sse = yield* makeSse
    const sseMessage = yield* makeSseMessage
    const clerkWebhook = yield* makeClerkWebhook
    return [
      route("GET", "/", landing),
      route("GET", "/favicon.svg", favicon),
      route("GET", "/favicon.ico", favicon),
      route("GET", "/health", health()),

      route("GET", "/authorize", limitedPage(ask)),
      route("POST", "/authorize", limitedPage(decide)),
      route("GET", "/callback", limitedCallback(finish)),
      route("POST", "/callback", limitedCallback(receive)),
      route("GET", "/organization", nothingToChoose),
      route("POST", "/organization", limitedCallback(choose)),

      route("GET", "/account", limitedAccount(show)),
      route("POST", "/account/sign-in", limitedPage(signIn)),
      route("POST", "/account/sign-out", limitedAccount(signOut)),
      route("POST", "/account/end", limitedAccount(endConnections)),
      route("POST", "/account/people", limitedAccount(find)),
      route("GET", "/account/people/:user", limitedAccount(showPerson)),
      route("POST", "/account/explain", limitedAccount(explainPerson)),

      route("*", "/token", rateLimited("token", asOAuthError)(token)),
      route("*", "/register", rateLimited("register", asOAuthError)(register)),
      route("*", "/.well-known/oauth-authorization-server", serverMetadata),
      // Clients look for a resource's metadata under its path, and at the root (RFC 9728, section 3.1).
      route("*", wellKnown, metadataOf("/mcp")),
      route("*", `${wellKnown}/mcp`, metadataOf("/mcp")),
      route("*", `${wellKnown}/mcp/:slug`, metadataOfOrganization),
      route("*", `${wellKnown}/sse`, metadataOf("/sse")),

      route("GET", "/operator/explain", explain),
      route("*", "/webhooks/clerk", rateLimited("webhook", asOAuthError)(clerkWebhook())),

      route("*", "/mcp", mcp()),
      route("*", "/mcp/:slug", mcp()),
      route("*", "/sse", sse()),
      route("*", "/sse/message", sseMessage()),
      route("*", "*", notFound)
    ]
  })
)
