import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import { ClerkApi } from "../clerk/ClerkApi.ts"
import { Challenge, ClerkOAuth } from "../clerk/ClerkOAuth.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { RequestRejected } from "./AuthorizationFailure.ts"
import type { AuthRequest } from "./OAuthLibrary.ts"
import { makePending, noClient } from "./PendingSignIn.ts"
import { SignIn, SignInFor } from "./SignIn.ts"

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
    const pending = yield* makePending("sign-in", Schema.Struct({ challenge: Challenge, consent: SignInFor }))

    /** An account that may not use the server learns it here, before any grant exists. */
    const signedIn = Effect.fnUntraced(function* (code: string, challenge: Challenge) {
      const userId = yield* clerk.exchange(code, challenge)
      const user = yield* access.current(userId)
      const clerkSessionId = appUrl === undefined ? undefined : yield* api.lastSession(userId)
      return { subject: { userId, ...(clerkSessionId !== undefined && { clerkSessionId }) }, user }
    })

    const begin = Effect.fn("SignIn.begin")(function* (
      authRequest: AuthRequest,
      given: Headers,
      consent: typeof SignInFor.Type
    ) {
      const challenge = yield* clerk.challenge
      const { state, headers } = yield* pending.begin(authRequest, { challenge, consent }, given)
      const login = authRequest.prompt?.includes("login") === true
      const url = yield* clerk.authorizationUrl(state, challenge, login)
      return { location: url.href, headers }
    })

    return SignIn.of({
      announcement: "You sign in with Clerk on the next page.",

      begin,

      beginForAccount: (given, anew) => begin(noClient(anew), given, "account"),

      handle: pending.verify,

      finish: Effect.fn("SignIn.finish")((request) =>
        pending.finish(request, (query, { challenge }) => {
          const code = query.get("code")
          const description = "The sign-in came back without a code"
          return code === null
            ? Effect.fail({ reason: new RequestRejected({ code: "invalid_request", description }) })
            : signedIn(code, challenge)
        })
      )
    })
  })
)
