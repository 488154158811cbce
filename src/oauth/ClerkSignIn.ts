import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import { ClerkApi } from "../clerk/ClerkApi.ts"
import { Challenge, ClerkOAuth } from "../clerk/ClerkOAuth.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { rejected, RequestRejected, SignInDeclined } from "./AuthorizationFailure.ts"
import { Consent, makeWaiting, SignIn } from "./SignIn.ts"

/**
 * `SIGN_IN=clerk`: Clerk's own OAuth and OpenID server. Its id_token does not name the session behind it; where tools
 * call an app as the user, it is the one that was used last, as the browser has just done.
 */
export const layer = Layer.effect(
  SignIn,
  Effect.gen(function* () {
    const { APP_URL: appUrl } = yield* AppConfig
    const clerk = yield* ClerkOAuth
    const api = yield* ClerkApi
    const access = yield* Access
    const waiting = yield* makeWaiting("sign-in", Schema.Struct({ challenge: Challenge, consent: Consent }))

    /** An account that may not use the server learns it here, before any grant exists. */
    const signedIn = Effect.fnUntraced(function* (code: string, challenge: Challenge) {
      const userId = yield* clerk.exchange(code, challenge)
      yield* access.current(userId)
      const sessionId = appUrl === undefined ? undefined : yield* api.lastSession(userId)
      return { userId, ...(sessionId !== undefined && { sessionId }) }
    })

    return SignIn.of({
      announcement: "You sign in with Clerk on the next page.",

      begin: Effect.fn("SignIn.begin")(function* (authRequest, given, consent) {
        const challenge = yield* clerk.challenge
        const { state, headers } = yield* waiting.begin(authRequest, { challenge, consent }, given)
        const url = yield* clerk.authorizationUrl(state, challenge)
        return { location: url.href, headers }
      }),

      leftovers: () => [],

      receive: () => Effect.fail(rejected("People sign in to this server with Clerk, which posts nothing here")),

      finish: Effect.fn("SignIn.finish")(function* (request) {
        const { authRequest, kept, headers, failed } = yield* waiting.resume(request)
        const query = new URL(request.url).searchParams
        const error = query.get("error")
        if (error !== null) {
          return yield* failed(new SignInDeclined({ error: error === "access_denied" ? error : "other" }))
        }
        const code = query.get("code")
        if (code === null) {
          const description = "The sign-in came back without a code"
          return yield* failed(new RequestRejected({ code: "invalid_request", description }))
        }
        const subject = yield* Effect.mapError(signedIn(code, kept.challenge), ({ reason }) => failed(reason))
        return { authRequest, subject, consent: kept.consent, headers }
      })
    })
  })
)
