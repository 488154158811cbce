import { isJsonContentType, readRequestBody } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { AuthorizationServer } from "../oauth/AuthorizationServer.ts"
import { fromResponse, webRequest } from "./WebRequest.ts"

/** The longest registration that anybody has reason to send, in bytes. */
const maxSize = 16 * 1024

/** Every authorization request of a client is compared with all of its redirect URIs: there cannot be many. */
const Metadata = Schema.fromJsonString(
  Schema.Struct({ redirect_uris: Schema.optionalKey(Schema.Array(Schema.String).check(Schema.isMaxLength(20))) })
)

const refused = (status: number, description: string) =>
  HttpServerResponse.jsonUnsafe({ error: "invalid_client_metadata", error_description: description }, { status })

/** `/register`: dynamic client registration (RFC 7591), open to everybody and therefore bounded. */
export const register = Effect.gen(function* () {
  const server = yield* AuthorizationServer
  const request = yield* webRequest
  if (request.method !== "POST") return fromResponse(yield* server.endpoints(request))
  // A form, which any page can post without asking, is no registration.
  if (!isJsonContentType(request.headers.get("content-type"))) return refused(415, "Send application/json")
  const body = yield* Effect.promise(() => readRequestBody(request, maxSize))
  if (body.tooLarge) return refused(413, "The registration is larger than 16 KiB")
  if (Option.isNone(Schema.decodeOption(Metadata)(body.text))) {
    return refused(400, "Send a JSON object with at most 20 redirect_uris")
  }
  const headers = new Headers(request.headers)
  headers.delete("content-length")
  return fromResponse(yield* server.endpoints(new Request(request.url, { method: "POST", headers, body: body.text })))
})
