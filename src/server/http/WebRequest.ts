import { readRequestBody } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { FormRejected } from "../oauth/AuthorizationFailure.ts"

/** An answer of the platform's kind, handed on as it is: converting it would wrap its body and lose its cookies. */
export const fromResponse = (response: Response): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.raw(response, { status: response.status })

/** The request as the platform handed it over, for the libraries that work on it. */
export const webRequest = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
  Effect.orDie(HttpServerRequest.toWeb(request))
)

/** The longest form that anybody has reason to send, in bytes. */
const maxFormSize = 64 * 1024

/** Reads an `application/x-www-form-urlencoded` body (RFC 6749, appendix B) of at most 64 KiB. */
export const readForm = Effect.fnUntraced(function* (request: Request) {
  const mediaType = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase()
  if (mediaType !== "application/x-www-form-urlencoded") {
    return yield* new FormRejected({ status: 415, description: "Send application/x-www-form-urlencoded" })
  }
  const body = yield* Effect.promise(() => readRequestBody(request, maxFormSize))
  if (body.tooLarge) return yield* new FormRejected({ status: 413, description: "The form is larger than 64 KiB" })
  return new URLSearchParams(body.text)
})
