import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Subject } from "../domain/Identity.ts"
import { AuthorizationFailure, trustedRedirect } from "./AuthorizationFailure.ts"
import { AuthorizationServer, type AuthRequest, type WithHeaders } from "./AuthorizationServer.ts"
import { type Purpose, StateSigner } from "./StateSigner.ts"

/** When the person consented: on the page just before, or on an earlier visit of this browser. */
export const Consent = Schema.Literals(["now", "earlier"])
export type Consent = typeof Consent.Type

/** Where the browser goes next, and the cookies that it takes along. */
interface Step extends WithHeaders {
  readonly location: string
}

/** How the person proves who they are, between consent and the client's code. */
export class SignIn extends Context.Service<
  SignIn,
  {
    /** What the consent page says comes next. */
    readonly announcement: string
    /** Where to send the browser once there is consent. `headers` are those of the consent page's answer. */
    readonly begin: (
      authRequest: AuthRequest,
      headers: Headers,
      consent: Consent
    ) => Effect.Effect<Step, AuthorizationFailure>
    /** What of a sign-in that failed is still in the browser: the cookies that take it away. */
    readonly leftovers: (request: Request) => ReadonlyArray<string>
    /** Takes a form that a page of another site, `origin`, made the browser post to `/callback`. */
    readonly receive: (origin: string | null, form: URLSearchParams) => Effect.Effect<Step, AuthorizationFailure>
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
>()("oauth/SignIn") {}

/** The consent page, the sign-in and the way back have to fit in here. The library's cookie lives as long. */
const lifetime = Duration.minutes(10)

/** Authorizations that wait for their browser to come back, each under a signed `state`, with what is kept for it. */
export const makeWaiting = Effect.fnUntraced(function* <A>(purpose: Purpose, kept: Schema.Decoder<A>) {
  const server = yield* AuthorizationServer
  const signer = yield* StateSigner

  const verify = (state: string) =>
    Effect.mapError(signer.verify(purpose, state), ({ reason }) => new AuthorizationFailure({ reason }))

  return {
    /** Whether this server signed the state for this purpose, not too long ago. Asks no storage. */
    verify,

    /** Lets the authorization wait. */
    begin: Effect.fnUntraced(function* (authRequest: AuthRequest, data: A, headers: Headers) {
      const { handle, headers: cookies } = yield* server.suspend(authRequest, data, headers)
      return { state: yield* signer.sign(purpose, handle, lifetime), headers: cookies }
    }),

    /** Goes on with the authorization, once, in its own browser. `failed` tells the client why it ends here. */
    resume: Effect.fnUntraced(function* (request: Request) {
      const handle = yield* verify(new URL(request.url).searchParams.get("state") ?? "")
      const { authRequest, data, headers } = yield* server.resume(request, handle)
      const redirect = trustedRedirect(authRequest)
      return {
        authRequest,
        headers,
        kept: yield* Effect.orDie(Schema.decodeUnknownEffect(kept)(data)),
        failed: (reason: AuthorizationFailure["reason"]) => new AuthorizationFailure({ reason, redirect })
      }
    })
  }
})
