import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"
import { sessionCookie } from "../oauth/OidcConfiguration.ts"
import { StandInSettings } from "../StandInOptions.ts"
import type { ClerkBrowser } from "./Handshakes.ts"

/** The application that a browser came from is not one of the instance's. */
export class ForeignRedirect extends Schema.TaggedError<ForeignRedirect>()("ForeignRedirect", {}) {}

/** `redirect_url` of the request, if a registered application answers there; without one, the first application. */
export const appRedirect = Effect.gen(function* () {
  const { appOrigins } = yield* StandInSettings
  const request = yield* HttpServerRequest.HttpServerRequest
  const asked = new URL(request.url, "http://query.invalid").searchParams.get("redirect_url")
  const target = URL.parse(asked ?? appOrigins[0] ?? "")
  if (target === null || !appOrigins.includes(target.origin)) return yield* new ForeignRedirect()
  return target
})

/** The browser that sent the request. */
export const clerkBrowser = Effect.map(HttpServerRequest.HttpServerRequest, (request): ClerkBrowser => ({
  sessionId: request.cookies[sessionCookie],
  devBrowser: new URL(request.url, "http://query.invalid").searchParams.get("__clerk_db_jwt") ?? undefined
}))
