import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import type { ClerkSessions } from "../ClerkSessions.ts"
import type { Directory } from "../Directory.ts"
import { OAuthApplications } from "../OAuthApplications.ts"
import type { Organizations } from "../Organizations.ts"
import { errorPage } from "../PageFrame.ts"
import { openSession, orErrorPage, page, signInAnswer, signInForm, withSession } from "../SignInForm.ts"
import { OAuthServer, SignInExpired } from "./OAuthServer.ts"
import { routes } from "./OidcConfiguration.ts"

const expired = page(errorPage("This sign-in has expired", "Go back to the application and start again."), 400)

/** The page that a person sees on the way through `/oauth/authorize`. */
export const signInRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const server = yield* OAuthServer
    const services = yield* Effect.context<ClerkSessions | Directory | Organizations>()
    const applications = yield* OAuthApplications

    const form = Effect.fnUntraced(function* (clientId: string, previous: { email: string; error?: string }) {
      const application = yield* applications.findByClientId(clientId)
      const name = Option.match(application, { onNone: () => clientId, onSome: (found) => found.name })
      return yield* signInForm(name, previous)
    })

    const show = Effect.gen(function* () {
      const pending = yield* server.pendingSignIn
      return yield* form(pending.clientId, { email: pending.loginHint ?? "" })
    })

    const submit = Effect.gen(function* () {
      const pending = yield* server.pendingSignIn
      const answer = yield* signInAnswer
      if (answer.kind === "cancelled") {
        return HttpServerResponse.redirect(yield* server.finishSignIn("cancelled"), { status: 303 })
      }
      if (answer.kind === "refused") return yield* form(pending.clientId, answer)
      const returnTo = yield* server.finishSignIn({ userId: answer.user.id })
      return yield* withSession(HttpServerResponse.redirect(returnTo, { status: 303 }), yield* openSession(answer.user))
    })

    const answered = <E, R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
      orErrorPage(handler, (error) => (error instanceof SignInExpired ? expired : undefined)).pipe(
        Effect.provideContext(services)
      )

    yield* router.add("GET", `${routes.signIn}/:uid`, answered(show))
    yield* router.add("POST", `${routes.signIn}/:uid`, answered(submit))
  })
)
