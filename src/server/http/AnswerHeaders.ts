import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import { notFound } from "./Landing.ts"
import { fromResponse, webRequest } from "./WebRequest.ts"

/** Pages for a person's browser, which no script of another site can read. The router is lenient with paths, too. */
const isOwnPage = (pathname: string): boolean =>
  /^\/+(?:authorize|callback|organization|account(?:\/.*)?)\/*$/iu.test(pathname)

/**
 * The one place for the headers of every answer, whoever wrote it: nothing is kept (RFC 6749, section 5.1) unless the
 * answer says otherwise, its type is not guessed, and over https the browser comes back by https only (RFC 6797).
 * Clients in a browser can read refusals too (Fetch, CORS protocol): any page, as nobody sends a bearer token unasked.
 */
export const answerHeaders = HttpRouter.middleware(
  (serve) =>
    Effect.gen(function* () {
      // A path that cannot be decoded has no route.
      const answer = HttpServerResponse.toWeb(
        yield* Effect.catchIf(serve, HttpServerError.isHttpServerError, () => notFound)
      )
      const request = yield* webRequest
      const origin = request.headers.get("origin")
      const { pathname, protocol } = new URL(request.url)
      // The headers of what another part answered cannot be changed.
      const response = new Response(answer.body, answer)
      const { headers } = response
      headers.set("x-content-type-options", "nosniff")
      if (!headers.has("cache-control")) headers.set("cache-control", "no-store")
      if (protocol === "https:") headers.set("strict-transport-security", "max-age=31536000")
      if (origin !== null && !isOwnPage(pathname) && !headers.has("access-control-allow-origin")) {
        headers.set("access-control-allow-origin", origin)
        headers.append("access-control-expose-headers", "WWW-Authenticate, Retry-After")
        headers.append("vary", "Origin")
      }
      return fromResponse(response)
    }),
  { global: true }
)
