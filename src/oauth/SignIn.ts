import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import { Challenge, ClerkOAuth } from "../clerk/ClerkOAuth.ts"
import type { Subject } from "../domain/Identity.ts"
import { AuthorizationFailure, RequestRejected, SignInDeclined, trustedRedirect } from "./AuthorizationFailure.ts"
import { AuthorizationServer, type AuthRequest, type WithHeaders } from "./AuthorizationServer.ts"
import { StateSigner } from "./StateSigner.ts"

/** The consent page, Clerk's sign-in and the way back have to fit in here. The library's cookie lives as long. */
const lifetime = Duration.minutes(10)

/** When the person consented: on the page just before, or on an earlier visit of this browser. */
const Consent = Schema.Literals(["now", "earlier"])
type Consent = typeof Consent.Type

/** What waits for the browser to come back. */
const decodeKept = Schema.decodeUnknownEffect(Schema.Struct({ challenge: Challenge, consent: Consent }))

/** How the person proves who they are, between consent and the client's code. */
export class SignIn extends Context.Service<
  SignIn,
  {
    /** Where to send the browser once there is consent. `headers` are those of the consent page's answer. */
    readonly begin: (
      authRequest: AuthRequest,
      headers: Headers,
      consent: Consent
    ) => Effect.Effect<WithHeaders & { readonly location: string }, AuthorizationFailure>
    /**
     * Takes the browser back at `/callback`: the authorization that it continues, and who signed in. A `state` that
     * this server did not sign is refused before any storage is asked.
     */
    readonly finish: (
      request: Request
    ) => Effect.Effect<
      WithHeaders & { readonly authRequest: AuthRequest; readonly subject: Subject; readonly consent: Consent },
      AuthorizationFailure
    >
  }
>()("oauth/SignIn") {
  /** `SIGN_IN=clerk`: Clerk's own OAuth and OpenID server. */
  static readonly layerClerk = Layer.effect(
    SignIn,
    Effect.gen(function* () {
      const server = yield* AuthorizationServer
      const signer = yield* StateSigner
      const clerk = yield* ClerkOAuth
      const access = yield* Access

      /** An account that may not use the server learns it here, before any grant exists. */
      const signedIn = Effect.fnUntraced(function* (code: string, challenge: Challenge) {
        const userId = yield* clerk.exchange(code, challenge)
        yield* access.current(userId)
        return { userId }
      })

      return SignIn.of({
        begin: Effect.fn("SignIn.begin")(function* (authRequest, headers, consent) {
          const challenge = yield* clerk.challenge
          const kept = yield* server.suspend(authRequest, { challenge, consent }, headers)
          const state = yield* signer.sign("sign-in", kept.handle, lifetime)
          const url = yield* clerk.authorizationUrl(state, challenge)
          return { location: url.href, headers: kept.headers }
        }),

        finish: Effect.fn("SignIn.finish")(function* (request) {
          const query = new URL(request.url).searchParams
          const handle = yield* Effect.mapError(
            signer.verify("sign-in", query.get("state") ?? ""),
            ({ reason }) => new AuthorizationFailure({ reason })
          )
          const { authRequest, data, headers } = yield* server.resume(request, handle)
          const { challenge, consent } = yield* Effect.orDie(decodeKept(data))
          const redirect = trustedRedirect(authRequest)
          const failed = (reason: AuthorizationFailure["reason"]) => new AuthorizationFailure({ reason, redirect })
          const error = query.get("error")
          if (error !== null) {
            return yield* failed(new SignInDeclined({ error: error === "access_denied" ? error : "other" }))
          }
          const code = query.get("code")
          if (code === null) {
            const description = "The sign-in came back without a code"
            return yield* failed(new RequestRejected({ code: "invalid_request", description }))
          }
          const subject = yield* Effect.mapError(signedIn(code, challenge), ({ reason }) => failed(reason))
          return { authRequest, subject, consent, headers }
        })
      })
    })
  )
}
