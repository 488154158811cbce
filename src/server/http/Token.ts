import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import { UserId } from "../domain/Principal.ts"
import { ClientNotAllowed } from "../oauth/AuthorizationFailure.ts"
import { isAddress } from "../oauth/ClientDocument.ts"
import { makeClientRules } from "../oauth/ClientRules.ts"
import { OAuthEndpoints } from "../oauth/OAuthEndpoints.ts"
import { basicClientId, issuerOf, presentedIn } from "../oauth/PresentedToken.ts"
import { intended } from "../oauth/Resource.ts"
import { UserAuthorities } from "../oauth/UserAuthorities.ts"
import { withoutStore } from "./Unexpected.ts"
import { fromResponse, readForm, webRequest } from "./WebRequest.ts"

/**
 * `/token`: exchange, refresh (RFC 6749, sections 4.1.3 and 6) and revocation (RFC 7009, on the same address). A client
 * may name itself in the form (section 3.2.1) beside an Authorization header that names the same one. One whose metadata
 * document is where the settings let no client be is refused.
 */
export const token = Effect.gen(function* () {
  const endpoints = yield* OAuthEndpoints
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const request = yield* webRequest
  if (request.method !== "POST") return fromResponse(yield* endpoints.answer(request))
  const form = yield* readForm(request)
  // The library refuses the id of a client that authenticates with HTTP Basic, though it is the same one.
  const ids = form.getAll("client_id").filter((id) => id !== "")
  const basic = basicClientId(request.headers.get("authorization"))
  if (ids.length === 1 && ids[0] === basic) form.delete("client_id")
  const rules = yield* makeClientRules
  // Before the library fetches anything from there.
  for (const clientId of [...ids, basic, issuerOf(form)]) {
    if (clientId === undefined || !isAddress(clientId)) continue
    const description = rules.faultOf({ clientId, redirectUris: [] })
    if (description !== undefined) return yield* new ClientNotAllowed({ description })
  }
  const asked = form.getAll("resource")
  if (asked.length === 1) form.set("resource", intended(publicUrl, asked[0] ?? ""))
  const headers = [...request.headers].filter(([name]) => forwarded.has(name))
  const user = Option.getOrUndefined(decodeUserId(presentedIn(form)?.userId))
  if (user !== undefined) {
    const authorities = yield* UserAuthorities
    return fromResponse(yield* authorities.of(user).token({ headers, form: form.toString() }))
  }
  const anew = new Request(request.url, { method: "POST", headers, body: form })
  return fromResponse(yield* endpoints.answer(anew, form.get("resource") ?? undefined))
}).pipe(
  Effect.catchTags({
    FormRejected: ({ status, description }) =>
      Effect.succeed(
        HttpServerResponse.jsonUnsafe({ error: "invalid_request", error_description: description }, { status })
      ),
    ClientNotAllowed: ({ description }) =>
      Effect.succeed(
        HttpServerResponse.jsonUnsafe(
          { error: "unauthorized_client", error_description: description },
          { status: 400, headers: { "cache-control": "no-store" } }
        )
      ),
    StorageUnavailable: withoutStore
  })
)

/** What the OAuth library reads of a request to the token endpoint beside its form. */
const forwarded: ReadonlySet<string> = new Set(["authorization", "content-type", "origin"])

const decodeUserId = Schema.decodeUnknownOption(UserId)
