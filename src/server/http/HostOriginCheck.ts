import { hostHeaderValidationResponse, originValidationResponse } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"

import { AppConfig, isLoopback } from "../config/AppConfig.ts"

/** Origins of hosted clients that call from the browser. */
const hostedClients = ["claude.ai", "claude.com", "chatgpt.com"]
const loopbackHosts = ["localhost", "127.0.0.1", "[::1]"]

/**
 * Why a request is refused by its Host or its Origin, against DNS rebinding (MCP, Streamable HTTP, security warning).
 * Undefined if it is not.
 */
export const makeHostOriginCheck = Effect.map(AppConfig, ({ PUBLIC_URL: publicUrl, ALLOWED_ORIGINS: allowed }) => {
  const hosts = isLoopback(publicUrl.hostname) ? loopbackHosts : [publicUrl.hostname]
  const furtherOrigins = allowed?.split(",").map((host) => host.trim()) ?? []
  const origins = [...hosts, ...loopbackHosts, ...hostedClients, ...furtherOrigins]
  return (request: Request): Response | undefined =>
    hostHeaderValidationResponse(request, hosts) ?? originValidationResponse(request, origins)
})
