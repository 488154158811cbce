import * as Effect from "effect/Effect"

import { type RateLimited, RateLimits } from "../access/RateLimits.ts"
import { rateLimited, tryLater } from "../account/SessionFailure.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { type Protected, ResourceServer } from "../oauth/ResourceServer.ts"
import type { Resource } from "../oauth/Resource.ts"
import { makeHostOriginCheck } from "./HostOriginCheck.ts"
import { notFound } from "./Landing.ts"
import { lineSafe } from "./LineSafe.ts"
import { fromResponse, webRequest } from "./WebRequest.ts"

/**
 * The route of protected resources: `resourceFor` tells which one a request is for. Host and Origin are checked first; a token in the address is refused, whatever
 * else the request carries (RFC 6750, section 2.3); then comes the bearer token of the resource, and how much its user
 * sends. `serving` is told where the resource's metadata is, for challenges of its own.
 */
export const makeProtectedRoute = Effect.fnUntraced(function* <A, R>(
  resourceFor: (request: Request) => Resource | undefined,
  serving: (request: Request, resourceMetadataUrl: string) => Protected<A, R>
) {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const server = yield* ResourceServer
  const limits = yield* RateLimits
  const refusedByHostOrOrigin = yield* makeHostOriginCheck

  const refuse = (request: Request): Response | undefined =>
    refusedByHostOrOrigin(request) ??
    (new URL(request.url).searchParams.has("access_token") ? tokenInAddress() : undefined)

  return Effect.fnUntraced(function* () {
    const request = yield* webRequest
    const refused = refuse(request)
    if (refused !== undefined) return fromResponse(refused)
    const resource = resourceFor(request)
    if (resource === undefined) return yield* notFound
    const metadata = new URL(`/.well-known/oauth-protected-resource${resource}`, publicUrl).href
    const { ask, serve } = serving(request, metadata)
    const limited: Protected<A, R> = {
      // Whoever sends what was never given to anybody, or not any more, is told to wait. Who comes from the same address
      // with a good token is served.
      ask: (userId, bearer) =>
        Effect.flatMap(ask(userId, bearer), (asked) => {
          const isStranger = !(asked instanceof Response) && asked._tag === "NotAdmitted" && asked.known === undefined
          return isStranger
            ? Effect.match(limits.ofAddress("bearer", request), { onFailure: fromAddress, onSuccess: () => asked })
            : Effect.succeed(asked)
        }),
      // A token that is not good counts for nobody: it would count for whomever it names. What the object has served in
      // the same call, it has counted.
      serve: (caller, answer) =>
        answer !== undefined
          ? serve(caller, answer)
          : Effect.matchEffect(limits.ofUser(caller.principal.userId), {
              onFailure: (refused) => Effect.succeed(rateLimited(refused)),
              onSuccess: () => serve(caller, answer)
            })
    }
    const response = yield* server.serve(resource, request, limited)
    return fromResponse(exposeSession(lineSafe(response)))
  })
})

/** Lets the scripts of a page read the id of the session that they opened (Fetch, CORS protocol). */
const exposeSession = (response: Response): Response => {
  if (!response.headers.has("mcp-session-id")) return response
  const exposing = new Response(response.body, response)
  exposing.headers.append("access-control-expose-headers", "Mcp-Session-Id")
  return exposing
}

const fromAddress = ({ seconds }: RateLimited) =>
  tryLater(
    `Too many requests without a good access token came from your address. Try again in ${seconds} seconds.`,
    seconds
  )

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
