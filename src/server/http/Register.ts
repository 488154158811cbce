import { isJsonContentType, readRequestBody } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { OAuthEndpoints } from "../oauth/OAuthEndpoints.ts"
import { makeClientRules, noPrivateUse, publishedOnly } from "../oauth/ClientRules.ts"
import { isRedirectUri, redirectUriRule } from "../oauth/RedirectUri.ts"
import { isTooDeep } from "./Posted.ts"
import { withoutStore } from "./Unexpected.ts"
import { fromResponse, webRequest } from "./WebRequest.ts"

/** The longest registration that anybody has reason to send, in bytes. */
const maxSize = 16 * 1024

/** Every authorization request of a client is compared with all of its redirect URIs: there cannot be many. */
const Metadata = Schema.fromJsonString(
  Schema.StructWithRest(
    Schema.Struct({ redirect_uris: Schema.optionalKey(Schema.Array(Schema.String).check(Schema.isMaxLength(20))) }),
    [Schema.Record(Schema.String, Schema.Unknown)]
  )
)

const refused = (status: number, description: string, error = "invalid_client_metadata") =>
  HttpServerResponse.jsonUnsafe({ error, error_description: description }, { status })

const preflight = HttpServerResponse.empty({
  headers: { "access-control-allow-methods": "POST", "access-control-allow-headers": "content-type" }
})

/**
 * `/register`: dynamic client registration (RFC 7591), without authentication and therefore bounded. Of several redirect
 * URIs those are registered that `/authorize` takes, and the answer says which (section 3.2.1). Where the hosts of a
 * client decide, one that is not listed refuses the whole registration.
 */
export const register = Effect.gen(function* () {
  const endpoints = yield* OAuthEndpoints
  const request = yield* webRequest
  const rules = yield* makeClientRules
  // Scripts of pages are told the reason as well, which they read only after a preflight that succeeds.
  if (!rules.registration && request.method === "OPTIONS") return preflight
  if (!rules.registration) return refused(403, publishedOnly, "access_denied")
  if (request.method !== "POST") return fromResponse(yield* endpoints.answer(request))
  // A form, which any page can post without asking, is no registration.
  if (!isJsonContentType(request.headers.get("content-type"))) return refused(415, "Send application/json")
  const body = yield* Effect.promise(() => readRequestBody(request, maxSize))
  if (body.tooLarge) return refused(413, "The registration is larger than 16 KiB")
  if (isTooDeep(body.text)) return refused(400, "The registration is nested too deeply")
  const metadata = Option.getOrUndefined(Schema.decodeOption(Metadata)(body.text))
  if (metadata === undefined) return refused(400, "Send a JSON object with at most 20 redirect_uris")
  const { redirect_uris: asked = [] } = metadata
  const taken = rules.taken(asked)
  if (taken.length === 0 && asked.length > 0) {
    return refused(400, asked.some(isRedirectUri) ? noPrivateUse : redirectUriRule, "invalid_redirect_uri")
  }
  const fault = rules.faultOf({ redirectUris: taken })
  if (fault !== undefined) return refused(400, fault, "invalid_redirect_uri")
  const headers = new Headers(request.headers)
  headers.delete("content-length")
  const registered = JSON.stringify({ ...metadata, redirect_uris: taken })
  return fromResponse(yield* endpoints.answer(new Request(request.url, { method: "POST", headers, body: registered })))
}).pipe(Effect.catchTag("StorageUnavailable", withoutStore))
