import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { ClerkMisconfigured } from "../clerk/ClerkError.ts"
import { AuthorizationFailure, SignInDeclined, trustedRedirect } from "./AuthorizationFailure.ts"
import { attempt, type AuthRequest, OAuthLibrary } from "./OAuthLibrary.ts"
import type { SignedIn, SignInFor, Waiting } from "./SignIn.ts"
import { type Purpose, StateSigner } from "./StateSigner.ts"

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

/** What the library keeps for a sign-in to the account page, where no client waits. */
export const noClient = (anew: boolean): AuthRequest => ({
  responseType: "code",
  clientId: "",
  redirectUri: "",
  scope: [],
  state: "",
  ...(anew && { prompt: ["login"] })
})

/** Authorizations that wait for their browser to come back, each under a signed `state`, with what is `kept` for it. */
export const makePending = Effect.fnUntraced(function* <Kept extends { readonly consent: typeof SignInFor.Type }>(
  purpose: Purpose,
  kept: Schema.Codec<Kept, unknown>
) {
  const { helpers } = yield* OAuthLibrary
  const signer = yield* StateSigner
  const decodeKept = Schema.decodeUnknownEffect(kept)
  const encodeKept = Schema.encodeEffect(kept)

  const verify = (state: string) =>
    Effect.mapError(signer.verify(purpose, state), ({ reason }) => new AuthorizationFailure({ reason }))

  return {
    /** Whether this server signed the state for this purpose, not too long ago. Asks no storage. */
    verify,

    /** Keeps the authorization, and `data` with it, for one use within 10 minutes by this browser. */
    begin: Effect.fnUntraced(function* (authRequest: AuthRequest, known: Kept, headers: Headers) {
      const data = yield* Effect.orDie(encodeKept(known))
      const kept = yield* attempt("beginUpstream", () => helpers.beginUpstream(authRequest, { data, headers }))
      return { state: yield* signer.sign(purpose, kept.state, lifetime), headers: kept.headers }
    }),

    /**
     * Goes on with the authorization, once, in its own browser: `signedInAs` tells from the query, and from what was
     * kept, who signed in. Why nobody did, the client is told, if one waits.
     */
    finish: Effect.fnUntraced(function* <Person extends SignedIn>(
      request: Request,
      signedInAs: (query: URLSearchParams, kept: Kept) => Effect.Effect<Person, NotSignedIn>
    ) {
      const query = new URL(request.url).searchParams
      const url = new URL(request.url)
      url.searchParams.set("state", yield* verify(query.get("state") ?? ""))
      const {
        request: authRequest,
        data,
        headers
      } = yield* attempt("finishUpstream", () => helpers.finishUpstream(new Request(url, { headers: request.headers })))
      const known = yield* Effect.orDie(decodeKept(data))
      const reason = declined(query)
      const signedIn = yield* Effect.mapError(
        reason === undefined ? signedInAs(query, known) : Effect.fail({ reason }),
        ({ reason }) =>
          new AuthorizationFailure({
            reason,
            ...(known.consent === "account" ? { atAccount: true } : { redirect: trustedRedirect(authRequest) })
          })
      )
      const { consent } = known
      const waiting: Waiting = consent === "account" ? { for: "account" } : { for: "client", authRequest, consent }
      return { ...signedIn, ...waiting, headers }
    })
  }
})
