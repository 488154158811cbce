import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type ClerkSession, ClerkSessions } from "./ClerkSessions.ts"
import { type ClerkUser, Directory } from "./Directory.ts"
import { Organizations } from "./Organizations.ts"
import { sessionCookie } from "./oauth/OidcConfiguration.ts"
import { signInPage } from "./oauth/SignInPage.ts"
import { errorPage } from "./PageFrame.ts"

const Submission = Schema.Struct({
  email: Schema.optionalKey(Schema.String),
  cancel: Schema.optionalKey(Schema.String)
})

/** What a person did with the sign-in form. */
export type Answer =
  | { readonly kind: "cancelled" }
  | { readonly kind: "refused"; readonly email: string; readonly error: string }
  | { readonly kind: "person"; readonly user: ClerkUser }

/** Reads the form that the current request posts. Fails if it cannot be read. */
export const signInAnswer = Effect.gen(function* () {
  const directory = yield* Directory
  const { cancel, email = "" } = yield* HttpServerRequest.schemaBodyUrlParams(Submission)
  if (cancel !== undefined) return { kind: "cancelled" } satisfies Answer
  const found = yield* directory.findByEmail(email)
  if (Option.isNone(found)) {
    const error = "No account has this e-mail address. Choose one of the demo users."
    return { kind: "refused", email, error } satisfies Answer
  }
  if (found.value.banned) {
    return { kind: "refused", email, error: "This account is banned and cannot sign in." } satisfies Answer
  }
  if (found.value.locked) {
    return { kind: "refused", email, error: "This account is locked and cannot sign in." } satisfies Answer
  }
  return { kind: "person", user: found.value } satisfies Answer
})

/** A page that nobody keeps. */
export const page = (html: string, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(html, {
    status,
    contentType: "text/html; charset=utf-8",
    headers: { "cache-control": "no-store" }
  })

const unreadable = page(errorPage("This form could not be read", "Go back and send it again."), 400)

/** Answers what went wrong with a page: `known` errors in their own words, any other is one of the form. */
export const orErrorPage = <E, R>(
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  known: (error: E) => HttpServerResponse.HttpServerResponse | undefined
) => handler.pipe(Effect.catch((error) => Effect.succeed(known(error) ?? unreadable)))

/** Opens a session for somebody who has signed in. */
export const openSession = Effect.fnUntraced(function* ({ id }: ClerkUser) {
  const [newest] = yield* (yield* Organizations).membershipsOf(id)
  const session = yield* (yield* ClerkSessions).create(id, newest?.organization.id)
  yield* (yield* Directory).recordSignIn(id)
  return session
})

/** The browser keeps the session, for its next sign-in. */
export const withSession = (response: HttpServerResponse.HttpServerResponse, { id }: ClerkSession) =>
  HttpServerResponse.setCookie(response, sessionCookie, id, { httpOnly: true, sameSite: "lax", path: "/" })

/** The form, empty or with what was wrong the last time. */
export const signInForm = Effect.fnUntraced(function* (
  applicationName: string,
  previous: { readonly email: string; readonly error?: string }
) {
  const users = yield* (yield* Directory).all
  return page(signInPage({ applicationName, users, ...previous }), previous.error === undefined ? 200 : 422)
})
