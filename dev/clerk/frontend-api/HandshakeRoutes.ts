import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import { endpoint, orNotFound, query } from "../backend-api/Endpoint.ts"
import { clerkErrors } from "../ClerkErrorBody.ts"
import { randomSecret } from "../Ids.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { appRedirect, clerkBrowser } from "./AppRedirect.ts"
import { Handshakes } from "./Handshakes.ts"

/**
 * `/v1/client/handshake` of the Frontend API, where the SDK sends a browser whose standing it cannot tell, and the
 * Backend API's `/v1/clients/handshake_payload`, where it asks for the cookies behind a nonce.
 */
export const handshakeRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { instance, secretKey } = yield* StandInSettings
    const handshakes = yield* Handshakes

    const handshake = Effect.gen(function* () {
      const target = yield* appRedirect
      const browser = yield* clerkBrowser
      const directives = yield* handshakes.directives(
        instance === "production"
          ? { ...browser, devBrowser: undefined }
          : { ...browser, devBrowser: browser.devBrowser ?? `dvb_${randomSecret(27)}` },
        target.origin
      )
      const request = yield* HttpServerRequest.HttpServerRequest
      const asNonce = new URL(request.url, target).searchParams.get("format") === "nonce"
      const name = asNonce ? "__clerk_handshake_nonce" : "__clerk_handshake"
      const value = yield* asNonce ? handshakes.asNonce(directives) : handshakes.asToken(directives)
      const headers = { "cache-control": "no-store" }
      if (instance === "production") {
        const cookie = `${name}=${value}; Path=/; Max-Age=60; SameSite=Lax`
        return HttpServerResponse.redirect(target, { status: 307, headers: { ...headers, "set-cookie": cookie } })
      }
      target.searchParams.set(name, value)
      return HttpServerResponse.redirect(target, { status: 307, headers })
    }).pipe(
      Effect.catchTag("ForeignRedirect", () =>
        Effect.succeed(
          clerkErrors(400, [
            {
              message: "is invalid",
              longMessage: "redirect_url is not an address of one of this instance's applications.",
              code: "invalid_url",
              meta: { param_name: "redirect_url" }
            }
          ])
        )
      )
    )

    const payload = Effect.gen(function* () {
      const { nonce } = yield* query(Schema.Struct({ nonce: Schema.NonEmptyString }))
      return { directives: yield* orNotFound(yield* handshakes.redeem(nonce), "handshake payload", nonce) }
    })

    yield* router.add("GET", "/v1/client/handshake", handshake)
    yield* router.add("GET", "/v1/clients/handshake_payload", endpoint(secretKey, payload))
  })
)
