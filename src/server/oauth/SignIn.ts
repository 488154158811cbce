import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { ClerkMisconfigured } from "../clerk/ClerkError.ts"
import type { GrantProps } from "../domain/Principal.ts"
import { AuthorizationFailure, SignInDeclined, trustedRedirect } from "./AuthorizationFailure.ts"
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
    /**
     * The handle of the authorization that a `state` continues. One that this server did not sign for it, or too long
     * ago, is refused before any storage is asked.
     */
    readonly handle: (state: string) => Effect.Effect<string, AuthorizationFailure>
    /** What of a sign-in that failed is still in the browser: the cookies that take it away. */
    readonly leftovers: (request: Request) => ReadonlyArray<string>
    /** Takes a form that a page of another site, `origin`, made the browser post to `/callback`. */
    readonly receive: (origin: string | null, form: URLSearchParams) => Effect.Effect<Step, AuthorizationFailure>
    /** Takes the browser back at `/callback`: the authorization that it continues, and who signed in. */
    readonly finish: (
      request: Request
    ) => Effect.Effect<
      WithHeaders & { readonly authRequest: AuthRequest; readonly subject: GrantProps; readonly consent: Consent },
      AuthorizationFailure
    >
  }
>()("oauth/SignIn") {}

/** The consent page, the sign-in and the way back have to fit in here. The library's cookie lives as long. */
const lifetime = Duration.minutes(10)

/** Why nobody is signed in, before it is known whether a client can be told. */
type NotSignedIn = Pick<AuthorizationFailure, "reason">

/** What Clerk says while its OAuth application is not set up as this server needs it: nobody gets in by trying again. */
const isMisconfigured = Schema.is(
  Schema.Literals(["invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type"])
)

/** Whether the browser came back with an error (RFC 6749, section 4.1.2.1): nobody did sign in. */
const declined = (query: URLSearchParams): SignInDeclined | ClerkMisconfigured | undefined => {
  const error = query.get("error")
  if (error === null) return undefined
  if (isMisconfigured(error)) return new ClerkMisconfigured({ operation: "authorize", code: error })
  return new SignInDeclined({ error: error === "access_denied" ? error : "other" })
}

/** Authorizations that wait for their browser to come back, each under a signed `state`, with what is `kept` for it. */
export const makePending = Effect.fnUntraced(function* <Kept extends { readonly consent: Consent }>(
  purpose: Purpose,
  kept: Schema.Decoder<Kept>
) {
  const server = yield* AuthorizationServer
  const signer = yield* StateSigner
  const decodeKept = Schema.decodeUnknownEffect(kept)

  const verify = (state: string) =>
    Effect.mapError(signer.verify(purpose, state), ({ reason }) => new AuthorizationFailure({ reason }))

  return {
    /** Whether this server signed the state for this purpose, not too long ago. Asks no storage. */
    verify,

    /** Lets the authorization wait. */
    begin: Effect.fnUntraced(function* (authRequest: AuthRequest, data: Kept, headers: Headers) {
      const { handle, headers: cookies } = yield* server.suspend(authRequest, data, headers)
      return { state: yield* signer.sign(purpose, handle, lifetime), headers: cookies }
    }),

    /**
     * Goes on with the authorization, once, in its own browser: `signedInAs` tells from the query, and from what was
     * kept, who signed in. Why nobody did, the client is told.
     */
    finish: Effect.fnUntraced(function* (
      request: Request,
      signedInAs: (query: URLSearchParams, kept: Kept) => Effect.Effect<GrantProps, NotSignedIn>
    ) {
      const query = new URL(request.url).searchParams
      const handle = yield* verify(query.get("state") ?? "")
      const { authRequest, data, headers } = yield* server.resume(request, handle)
      const known = yield* Effect.orDie(decodeKept(data))
      const reason = declined(query)
      const subject = yield* Effect.mapError(
        reason === undefined ? signedInAs(query, known) : Effect.fail({ reason }),
        ({ reason }) => new AuthorizationFailure({ reason, redirect: trustedRedirect(authRequest) })
      )
      return { authRequest, subject, consent: known.consent, headers }
    })
  }
})
