import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import type { StorageUnavailable } from "../oauth/AuthorizationFailure.ts"
import * as Incident from "../observability/Incident.ts"
import { errorPage } from "./Page.ts"

const text = "Something went wrong on the server."

/** `/token` and `/register` without their store: for a while only (RFC 9110, section 10.2.3). */
export const withoutStore = Effect.fnUntraced(function* (failure: StorageUnavailable) {
  const reference = yield* Incident.note("The store did not answer", failure)
  const description = `This server cannot be reached in full right now. Reference ${reference}`
  return HttpServerResponse.jsonUnsafe(
    { error: "temporarily_unavailable", error_description: description },
    { status: 503, headers: { "retry-after": "5" } }
  )
})

/**
 * Answers what nobody planned for: logged, and told with a reference only, as a
 * page to browsers and as `server_error` to programs (RFC 6749, section 5.2).
 */
export const withIncidents = <E, R>(serve: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.catchCause(serve, (cause) =>
    Cause.hasDies(cause)
      ? Effect.gen(function* () {
          const { headers } = yield* HttpServerRequest.HttpServerRequest
          const reference = yield* Incident.report("A request failed unexpectedly", cause)
          if (headers["accept"]?.includes("text/html") === true) {
            return yield* errorPage(
              500,
              "This did not work",
              `${text} Try again. If it happens again, report this reference.`,
              reference
            )
          }
          const error = { error: "server_error", error_description: `${text} Reference ${reference}` }
          return HttpServerResponse.jsonUnsafe(error, { status: 500 })
        })
      : Effect.failCause(cause)
  )
