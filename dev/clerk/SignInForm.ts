import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type ClerkUser, Directory } from "./Directory.ts"
import { signInPage } from "./oauth/SignInPage.ts"

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
  return { kind: "person", user: found.value } satisfies Answer
})

/** A page that nobody keeps. */
export const page = (html: string, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(html, {
    status,
    contentType: "text/html; charset=utf-8",
    headers: { "cache-control": "no-store" }
  })

/** The form, empty or with what was wrong the last time. */
export const signInForm = Effect.fnUntraced(function* (
  applicationName: string,
  previous: { readonly email: string; readonly error?: string }
) {
  const users = yield* (yield* Directory).all
  return page(signInPage({ applicationName, users, ...previous }), previous.error === undefined ? 200 : 422)
})
