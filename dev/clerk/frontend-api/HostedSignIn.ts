import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { ClerkSessions } from "../ClerkSessions.ts"
import type { Directory } from "../Directory.ts"
import { randomSecret } from "../Ids.ts"
import { routes } from "../oauth/OidcConfiguration.ts"
import type { Organizations } from "../Organizations.ts"
import { errorPage } from "../PageFrame.ts"
import { openSession, orErrorPage, page, signInAnswer, signInForm, withSession } from "../SignInForm.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { appRedirect, clerkBrowser, ForeignRedirect } from "./AppRedirect.ts"
import { Handshakes } from "./Handshakes.ts"

const foreign = page(
  errorPage("This address is not known", "The application that sent you here is not registered with this instance."),
  400
)

/** `/sign-in?redirect_url=`: Clerk's hosted sign-in page, where applications send people who are signed out. */
export const hostedSignInRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { instance } = yield* StandInSettings
    const services = yield* Effect.context<ClerkSessions | Directory | Organizations>()
    const handshakes = yield* Handshakes

    /**
     * Back to the application, which then begins a handshake: a development instance names the browser in the address,
     * a production instance shares a cookie with the application.
     */
    const back = Effect.fnUntraced(function* (target: URL, signedInAt: number) {
      if (instance === "development") target.searchParams.set("__clerk_db_jwt", `dvb_${randomSecret(27)}`)
      const response = HttpServerResponse.redirect(target, { status: 303 })
      if (instance === "development") return response
      return yield* HttpServerResponse.setCookies(
        response,
        handshakes.namesOf("__client_uat").map((name) => [name, String(signedInAt), { path: "/", sameSite: "lax" }])
      )
    })

    const show = Effect.gen(function* () {
      const target = yield* appRedirect
      const signedInAt = yield* handshakes.signedInAt((yield* clerkBrowser).sessionId)
      return yield* signedInAt === 0 ? signInForm(target.host, { email: "" }) : back(target, signedInAt)
    })

    const submit = Effect.gen(function* () {
      const target = yield* appRedirect
      const answer = yield* signInAnswer
      if (answer.kind === "cancelled") return HttpServerResponse.redirect(target.origin, { status: 303 })
      if (answer.kind === "refused") return yield* signInForm(target.host, answer)
      const session = yield* openSession(answer.user)
      return yield* withSession(yield* back(target, yield* handshakes.signedInAt(session.id)), session)
    })

    const answered = <E, R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
      orErrorPage(handler, (error) => (error instanceof ForeignRedirect ? foreign : undefined)).pipe(
        Effect.provideContext(services)
      )

    yield* router.add("GET", routes.signIn, answered(show))
    yield* router.add("POST", routes.signIn, answered(submit))
  })
)
