import * as Effect from "effect/Effect"
import * as Cookies from "effect/http/Cookies"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import { ClerkApi } from "../clerk/ClerkApi.ts"
import { ClerkJwt, TokenRejected } from "../clerk/ClerkJwt.ts"
import { verifyClerkSessionToken } from "../clerk/ClerkSessionToken.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { rejected, RequestRejected } from "./AuthorizationFailure.ts"
import type { AuthRequest } from "./OAuthLibrary.ts"
import { makePending, noClient } from "./PendingSignIn.ts"
import { SignIn, SignInFor } from "./SignIn.ts"

/** Where the app takes people who come to sign in. */
const appPath = "/auth/mcp"

/** The longest value that fits into one cookie (RFC 6265, section 6.1). Clerk's own cookie has the same limit. */
const longestToken = 4_000
const isToken = (text: string) => text.length <= longestToken && /^[\w-]+\.[\w-]+\.[\w-]+$/u.test(text)

/** Each sign-in has a cookie of its own, so that two at a time do not interfere. */
const cookieName = (state: string) => `__Host-app-proof-${state.slice(-16)}`
const cookie = (name: string, value: string, maxAge: number) =>
  `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; Secure; SameSite=Lax`
const cookiesOf = (request: Request) => Cookies.parseHeader(request.headers.get("cookie") ?? "")

/**
 * `SIGN_IN=app`: an app of the team, where the person has a Clerk session, and which posts that session's token back.
 *
 * The post comes from another site, so it carries none of this server's cookies. The answer puts the token into a cookie
 * and redirects to this server; that next request carries both cookies. So the token is never in an address or a store,
 * and a `state` works once, in the browser that it was made for.
 */
export const layer = (appUrl: URL) =>
  Layer.effect(
    SignIn,
    Effect.gen(function* () {
      const { PUBLIC_URL: publicUrl } = yield* AppConfig
      const jwt = yield* ClerkJwt
      const clerk = yield* ClerkApi
      const access = yield* Access
      const pending = yield* makePending("app-sign-in", Schema.Struct({ consent: SignInFor }))

      /** Who is signed in to the app: the account is open, and the session alive at this moment. */
      const signedIn = Effect.fnUntraced(function* (token: string) {
        const { organizationId: proposed, ...subject } = yield* verifyClerkSessionToken(token, appUrl).pipe(
          Effect.provideService(ClerkJwt, jwt),
          Effect.mapError((reason) => ({ reason }))
        )
        const user = yield* access.current(subject.userId)
        if ((yield* clerk.sessionUser(subject.clerkSessionId)) !== subject.userId) {
          return yield* Effect.fail({ reason: new TokenRejected({ check: "sub" }) })
        }
        return { subject, user, ...(proposed !== undefined && { proposed }) }
      })

      const goOn = (state: string, further: Readonly<Record<string, string>> = {}) => {
        const url = new URL("/callback", publicUrl)
        url.search = new URLSearchParams({ state, ...further }).toString()
        return url.href
      }

      const begin = Effect.fn("SignIn.begin")(function* (
        authRequest: AuthRequest,
        given: Headers,
        consent: typeof SignInFor.Type
      ) {
        const { state, headers } = yield* pending.begin(authRequest, { consent }, given)
        const url = new URL(appPath, appUrl)
        url.searchParams.set("state", state)
        if (authRequest.prompt?.includes("login") === true) url.searchParams.set("prompt", "login")
        return { location: url.href, headers }
      })

      return SignIn.of({
        announcement: `You go on to ${appUrl.host} on the next page, and sign in there if you have not yet.`,

        begin,

        beginForAccount: (given, anew) => begin(noClient(anew), given, "account"),

        handle: pending.verify,

        posted: {
          // Repeated failures must not pile up cookies in the browser.
          leftovers: (request) => {
            const query = new URL(request.url).searchParams
            const name = cookieName(query.get("state") ?? "")
            return name in cookiesOf(request) && !query.has("session_token") ? [cookie(name, "", 0)] : []
          },

          receive: Effect.fn("SignIn.receive")(function* (origin, form) {
            if (origin !== appUrl.origin) return yield* rejected(`The form was not sent by ${appUrl.host}`)
            const state = form.get("state") ?? ""
            yield* pending.verify(state)
            if (form.has("error")) {
              const error = form.get("error") === "access_denied" ? "access_denied" : "server_error"
              return { location: goOn(state, { error }), headers: new Headers() }
            }
            const token = form.get("session_token") ?? ""
            if (!isToken(token)) return yield* rejected(`${appUrl.host} sent no session token`)
            return {
              location: goOn(state),
              headers: new Headers({ "set-cookie": cookie(cookieName(state), token, 60) })
            }
          })
        },

        finish: Effect.fn("SignIn.finish")(function* (request) {
          const query = new URL(request.url).searchParams
          if (query.has("session_token")) {
            return yield* rejected("A session token belongs in a form, never in an address")
          }
          const name = cookieName(query.get("state") ?? "")
          const finished = yield* pending.finish(request, () => {
            const token = cookiesOf(request)[name]
            const description = `The proof of ${appUrl.host} did not arrive`
            return token === undefined
              ? Effect.fail({ reason: new RequestRejected({ code: "invalid_request", description }) })
              : signedIn(token)
          })
          finished.headers.append("set-cookie", cookie(name, "", 0))
          return finished
        })
      })
    })
  )
