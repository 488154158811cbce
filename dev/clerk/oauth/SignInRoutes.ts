import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ClerkSessions } from "../ClerkSessions.ts"
import { Directory } from "../Directory.ts"
import { OAuthApplications } from "../OAuthApplications.ts"
import { errorPage } from "../PageFrame.ts"
import { OAuthServer, SignInExpired } from "./OAuthServer.ts"
import { routes, sessionCookie } from "./OidcConfiguration.ts"
import { signInPage } from "./SignInPage.ts"

const Submission = Schema.Struct({
  email: Schema.optionalKey(Schema.String),
  cancel: Schema.optionalKey(Schema.String)
})

const page = (html: string, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(html, {
    status,
    contentType: "text/html; charset=utf-8",
    headers: { "cache-control": "no-store" }
  })

const expired = page(errorPage("This sign-in has expired", "Go back to the application and start again."), 400)

/** The page that a person sees on the way through `/oauth/authorize`. */
export const signInRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const server = yield* OAuthServer
    const directory = yield* Directory
    const sessions = yield* ClerkSessions
    const applications = yield* OAuthApplications

    const form = Effect.fnUntraced(function* (clientId: string, email: string, error?: string) {
      const application = yield* applications.findByClientId(clientId)
      return page(
        signInPage({
          applicationName: Option.match(application, { onNone: () => clientId, onSome: (found) => found.name }),
          users: yield* directory.all,
          email,
          ...(error === undefined ? {} : { error })
        }),
        error === undefined ? 200 : 422
      )
    })

    const show = Effect.gen(function* () {
      const pending = yield* server.pendingSignIn
      return yield* form(pending.clientId, pending.loginHint ?? "")
    })

    const submit = Effect.gen(function* () {
      const pending = yield* server.pendingSignIn
      const submission = yield* HttpServerRequest.schemaBodyUrlParams(Submission)
      if (submission.cancel !== undefined) {
        return HttpServerResponse.redirect(yield* server.finishSignIn("cancelled"), { status: 303 })
      }
      const email = submission.email ?? ""
      const found = yield* directory.findByEmail(email)
      if (Option.isNone(found)) {
        return yield* form(pending.clientId, email, "No account has this e-mail address. Choose one of the demo users.")
      }
      if (found.value.banned) {
        return yield* form(pending.clientId, email, "This account is banned and cannot sign in.")
      }
      const user = found.value
      const returnTo = yield* server.finishSignIn({ userId: user.id })
      const session = yield* sessions.create(user.id, user.organization?.id)
      yield* directory.recordSignIn(user.id)
      return yield* HttpServerResponse.redirect(returnTo, { status: 303 }).pipe(
        HttpServerResponse.setCookie(sessionCookie, session.id, { httpOnly: true, sameSite: "lax", path: "/" })
      )
    })

    const answered = <E, R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
      handler.pipe(
        Effect.catch((error) =>
          Effect.succeed(
            error instanceof SignInExpired
              ? expired
              : page(errorPage("This form could not be read", "Go back and send it again."), 400)
          )
        )
      )

    yield* router.add("GET", `${routes.signIn}/:uid`, answered(show))
    yield* router.add("POST", `${routes.signIn}/:uid`, answered(submit))
  })
)
