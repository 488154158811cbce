import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import { OAuthEndpoints } from "../oauth/OAuthEndpoints.ts"
import type { Resource } from "../oauth/Resource.ts"
import { ResourceServer } from "../oauth/ResourceServer.ts"
import { ask, decide } from "./Authorize.ts"
import { finish, receive } from "./Callback.ts"
import { landing, notFound } from "./Landing.ts"
import { makeMcp } from "./Mcp.ts"
import { makeSse, makeSseMessage } from "./Sse.ts"
import { choose, nothingToChoose } from "./Organization.ts"
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

const route = <E, R>(
  method: Parameters<typeof HttpRouter.route>[0],
  path: HttpRouter.PathInput,
  serve: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) => HttpRouter.route(method, path, withIncidents(serve))

/** Every route of the server. */
export const routes = HttpRouter.addAll(
  Effect.gen(function* () {
    const mcp = yield* makeMcp
    const sse = yield* makeSse
    const sseMessage = yield* makeSseMessage
    return [
      route("GET", "/", landing),
      route("GET", "/health", Effect.succeed(HttpServerResponse.jsonUnsafe({ status: "ok" }))),

      route("GET", "/authorize", ask),
      route("POST", "/authorize", decide),
      route("GET", "/callback", finish),
      route("POST", "/callback", receive),
      route("GET", "/organization", nothingToChoose),
      route("POST", "/organization", choose),

      route("*", "/token", token),
      route("*", "/register", register),
      route("*", "/.well-known/oauth-authorization-server", serverMetadata),
      // Clients look for a resource's metadata under its path, and at the root (RFC 9728, section 3.1).
      route("*", "/.well-known/oauth-protected-resource", metadataOf("/mcp")),
      route("*", "/.well-known/oauth-protected-resource/mcp", metadataOf("/mcp")),
      route("*", "/.well-known/oauth-protected-resource/sse", metadataOf("/sse")),

      route("*", "/mcp", mcp()),
      route("*", "/sse", sse()),
      route("*", "/sse/message", sseMessage()),
      route("*", "*", notFound)
    ]
  })
)
