import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import { AuthorizationServer } from "../oauth/AuthorizationServer.ts"
import type { Resource } from "../oauth/Resource.ts"
import { ask, decide } from "./Authorize.ts"
import { finish } from "./Callback.ts"
import { landing, notFound } from "./Landing.ts"
import { makeMcp } from "./Mcp.ts"
import { makeSse, makeSseMessage } from "./Sse.ts"
import { token } from "./Token.ts"
import { webRequest } from "./WebRequest.ts"

/** What the OAuth library answers by itself: registration and the server's metadata. */
const library = Effect.gen(function* () {
  const server = yield* AuthorizationServer
  return HttpServerResponse.raw(yield* server.endpoints(yield* webRequest))
})

const metadataOf = (resource: Resource) =>
  Effect.gen(function* () {
    const server = yield* AuthorizationServer
    return HttpServerResponse.raw(yield* server.resourceMetadata(resource, yield* webRequest))
  })

/** Every route of the server. */
export const routes = HttpRouter.addAll(
  Effect.gen(function* () {
    const mcp = yield* makeMcp
    const sse = yield* makeSse
    const sseMessage = yield* makeSseMessage
    return [
      HttpRouter.route("GET", "/", landing),
      HttpRouter.route("GET", "/health", Effect.succeed(HttpServerResponse.jsonUnsafe({ status: "ok" }))),

      HttpRouter.route("GET", "/authorize", ask),
      HttpRouter.route("POST", "/authorize", decide),
      HttpRouter.route("GET", "/callback", finish),

      HttpRouter.route("*", "/token", token),
      HttpRouter.route("*", "/register", library),
      HttpRouter.route("*", "/.well-known/oauth-authorization-server", library),
      // Clients look for a resource's metadata under its path, and at the root (RFC 9728, section 3.1).
      HttpRouter.route("*", "/.well-known/oauth-protected-resource", metadataOf("/mcp")),
      HttpRouter.route("*", "/.well-known/oauth-protected-resource/mcp", metadataOf("/mcp")),
      HttpRouter.route("*", "/.well-known/oauth-protected-resource/sse", metadataOf("/sse")),

      HttpRouter.route("*", "/mcp", mcp),
      HttpRouter.route("*", "/sse", sse),
      HttpRouter.route("*", "/sse/message", sseMessage),
      HttpRouter.route("*", "*", notFound)
    ]
  })
)
