import { hostHeaderValidationResponse, originValidationResponse } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"

import { AppConfig, isLoopback } from "../config/AppConfig.ts"
import type { CurrentIdentity } from "../domain/Identity.ts"
import { AuthorizationServer } from "../oauth/AuthorizationServer.ts"
import type { Resource } from "../oauth/Resource.ts"
import { lineSafe } from "./LineSafe.ts"
import { fromResponse, webRequest } from "./WebRequest.ts"

/** Web pages of hosted clients, which call from the browser. */
const hostedClients = ["claude.ai", "claude.com", "chatgpt.com"]
const loopbackHosts = ["localhost", "127.0.0.1", "[::1]"]

/**
 * What every request of a client passes on its way to the protocol. Host and Origin are checked first, against DNS
 * rebinding; a token in the address is refused, whatever else the request carries (RFC 6750, section 2.3); then comes
 * the bearer token of the resource. `serve` is told where the resource's metadata is, for challenges of its own.
 */
export const makeGate = Effect.fnUntraced(function* <R>(
  resource: Resource,
  serve: (request: Request, resourceMetadataUrl: string) => Effect.Effect<Response, never, R>
) {
  const { PUBLIC_URL: publicUrl, ALLOWED_ORIGINS: allowed } = yield* AppConfig
  const server = yield* AuthorizationServer
  const hosts = isLoopback(publicUrl.hostname) ? loopbackHosts : [publicUrl.hostname]
  const furtherOrigins = allowed?.split(",").map((host) => host.trim()) ?? []
  const origins = [...hosts, ...loopbackHosts, ...hostedClients, ...furtherOrigins]
  const metadata = new URL(`/.well-known/oauth-protected-resource${resource}`, publicUrl).href

  const refuse = (request: Request): Response | undefined =>
    hostHeaderValidationResponse(request, hosts) ??
    originValidationResponse(request, origins) ??
    (new URL(request.url).searchParams.has("access_token") ? tokenInAddress() : undefined)

  return Effect.fnUntraced(function* () {
    const request = yield* webRequest
    const refused = refuse(request)
    if (refused !== undefined) return fromResponse(refused)
    const served = Effect.map(serve(request, metadata), (response) => exposeSession(lineSafe(response)))
    return fromResponse(yield* server.guard<R | CurrentIdentity>(resource, request, served))
  })
})

/** Lets the scripts of a page read the id of the session that they opened (Fetch, CORS protocol). */
const exposeSession = (response: Response): Response => {
  if (!response.headers.has("mcp-session-id")) return response
  const exposing = new Response(response.body, response)
  exposing.headers.append("access-control-expose-headers", "Mcp-Session-Id")
  return exposing
}

const tokenInAddress = () => {
  const description = "Send the access token in the Authorization header"
  return Response.json(
    { error: "invalid_request", error_description: description },
    {
      status: 400,
      headers: { "www-authenticate": `Bearer error="invalid_request", error_description="${description}"` }
    }
  )
}
