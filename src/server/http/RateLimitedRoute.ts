import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import { type Limited, type RateLimited, RateLimits } from "../access/RateLimits.ts"
import { errorPage } from "./Page.ts"
import { webRequest } from "./WebRequest.ts"

/** How a refusal looks in the form that the endpoint's clients read. */
type Refusal = (refused: RateLimited) => Effect.Effect<HttpServerResponse.HttpServerResponse>

/** For programs that speak OAuth: an error as they know it (RFC 6749, section 5.2) with 429 (RFC 6585, section 4). */
export const asOAuthError: Refusal = ({ seconds }) =>
  Effect.succeed(
    HttpServerResponse.jsonUnsafe(
      {
        error: "temporarily_unavailable",
        error_description: `Too many requests came from your address. Try again in ${seconds} seconds`
      },
      { status: 429, headers: { "retry-after": String(seconds) } }
    )
  )

/** For people. Nothing is told to a client: what it sent was not looked at. */
export const asPage: Refusal = ({ seconds }) =>
  errorPage(
    429,
    "Too many attempts",
    `Too many sign-ins came from your network in a short time. Wait ${seconds} seconds, then load this page again.`,
    undefined,
    new Headers({ "retry-after": String(seconds) })
  )

/**
 * Wraps a route so that too many requests from one address are refused before anything of them is read. Preflights pass:
 * a script could not read their refusal.
 */
export const rateLimited =
  (limited: Limited, refusal: Refusal) =>
  <E, R>(serve: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    Effect.gen(function* () {
      const request = yield* webRequest
      if (request.method === "OPTIONS") return yield* serve
      const limits = yield* RateLimits
      return yield* limits
        .ofAddress(limited, request)
        .pipe(Effect.matchEffect({ onFailure: refusal, onSuccess: () => serve }))
    })
