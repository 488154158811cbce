import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import { AppConfig } from "../config/AppConfig.ts"
import { AuthorizationServer } from "../oauth/AuthorizationServer.ts"
import { intended } from "../oauth/Resource.ts"
import { fromResponse, readForm, webRequest } from "./WebRequest.ts"

/** `/token`: exchange, refresh (RFC 6749, sections 4.1.3 and 6) and revocation (RFC 7009, on the same address). */
export const token = Effect.gen(function* () {
  const server = yield* AuthorizationServer
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const request = yield* webRequest
  if (request.method !== "POST") return fromResponse(yield* server.endpoints(request))
  const form = yield* readForm(request)
  const asked = form.getAll("resource")
  if (asked.length === 1) form.set("resource", intended(publicUrl, asked[0] ?? ""))
  const headers = new Headers(request.headers)
  headers.delete("content-length")
  return fromResponse(yield* server.endpoints(new Request(request.url, { method: "POST", headers, body: form })))
}).pipe(
  Effect.catchTag("FormRejected", ({ status, description }) =>
    Effect.succeed(
      HttpServerResponse.jsonUnsafe({ error: "invalid_request", error_description: description }, { status })
    )
  )
)
