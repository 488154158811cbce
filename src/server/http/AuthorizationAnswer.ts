import { authorizationErrorRedirect } from "@cloudflare/workers-oauth-provider"
import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Match from "effect/Match"

import type { AuthorizationFailure, RequestRejected } from "../oauth/AuthorizationFailure.ts"
import * as Incident from "../observability/Incident.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import { errorPage, redirect } from "./Page.ts"

interface Answer {
  /** The error for the client, where it can be told (RFC 6749, section 4.1.2.1). */
  readonly code: RequestRejected["code"]
  /** The status of the page, where the client cannot be told. */
  readonly status: number
  readonly title: string
  /** Plain words, for a person and for `error_description`: printable ASCII without quotation marks. */
  readonly text: string
}

const answer = (code: Answer["code"], status: number, title: string, text: string): Answer => ({
  code,
  status,
  title,
  text
})

/** What to do next, and what did not happen, where a client waits and on the way to the account page. */
const words = {
  client: { startAgain: "Go back to your app and connect again.", undone: "Nothing was shared with the app." },
  account: { startAgain: "Open the page of your connected apps, and sign in again.", undone: "Nothing was changed." }
} as const

/** For whoever is signed in as somebody whom this server does not take. */
const withAnother = "Sign in with another account, or ask the operator of this server."

/** For what only the operator can mend. */
const tellOperator = "Tell them this reference, and try again later."

const answersFor = ({ startAgain, undone }: (typeof words)["client" | "account"]) =>
  Match.typeTags<AuthorizationFailure["reason"], Answer>()({
    RequestRejected: ({ code, description }) =>
      answer(code, 400, "This request cannot be continued", `${description}. ${startAgain}`),
    FormRejected: ({ status, description }) =>
      answer("invalid_request", status, "This form cannot be read", `${description}. ${startAgain}`),
    ClientNotAllowed: ({ description }) =>
      answer(
        "unauthorized_client",
        403,
        "This app cannot be connected here",
        `${description}. The operator of this server decides which apps can: ask for yours, or connect another one.`
      ),
    ClientUnreachable: () =>
      answer(
        "temporarily_unavailable",
        503,
        "This app’s description could not be fetched",
        "No answer came from the address that the app gave as its identity. If this server is offline, let the app register here instead; if not, connect again in a moment."
      ),
    ClientUnverifiable: () =>
      answer(
        "invalid_request",
        400,
        "This app could not be verified",
        "The address that the app gave as its identity does not lead to a valid description of it. Update the app, or let it register here instead."
      ),
    StateForged: () =>
      answer(
        "invalid_request",
        400,
        "This sign-in was not started here",
        `The address that brought you here does not come from this server. ${startAgain}`
      ),
    StateExpired: () =>
      answer(
        "invalid_request",
        400,
        "This sign-in took too long",
        `It had to be finished within 10 minutes. ${startAgain}`
      ),
    SignInDeclined: ({ error }) =>
      error === "access_denied"
        ? answer("access_denied", 403, "You did not sign in", `${undone} ${startAgain}`)
        : answer("server_error", 502, "Signing in failed", `The sign-in could not be completed. ${startAgain}`),
    CodeRejected: () =>
      answer("server_error", 502, "Signing in failed", `Clerk did not accept the sign-in a second time. ${startAgain}`),
    TokenRejected: () =>
      answer("server_error", 502, "Signing in failed", `The proof of identity could not be trusted. ${startAgain}`),
    ClerkUnavailable: () =>
      answer("temporarily_unavailable", 503, "Signing in is not possible right now", "Please try again in a moment."),
    ClerkMisconfigured: () =>
      answer(
        "server_error",
        500,
        "This server is not set up correctly",
        `Its operator has to correct its Clerk settings. ${tellOperator}`
      ),
    ClerkUnexpected: () =>
      answer(
        "server_error",
        502,
        "Signing in failed",
        `Clerk gave an answer that this server does not understand. ${startAgain}`
      ),
    ClerkSessionEnded: ({ message }) => answer("access_denied", 403, "You are signed out", `${message} ${startAgain}`),
    UserNotFound: () =>
      answer(
        "access_denied",
        403,
        "You cannot use this server",
        `This account can no longer use this server. ${withAnother}`
      ),
    AccountClosed: ({ message }) =>
      answer("access_denied", 403, "You cannot use this server", `${message} ${withAnother}`),
    AccessUnknown: ({ message, passes }) =>
      passes
        ? answer("temporarily_unavailable", 503, "Signing in is not possible right now", message)
        : answer("server_error", 500, "This server is not set up correctly", `${message} ${tellOperator}`),
    OrganizationLeft: () =>
      answer(
        "access_denied",
        403,
        "This organization cannot be chosen",
        `You are not a member of the organization that was chosen. ${startAgain}`
      ),
    NotAMember: ({ message }) =>
      answer("access_denied", 403, "You cannot use this address", `${message} ${startAgain}`),
    OrganizationRequired: ({ message }) => answer("access_denied", 403, "You cannot use this server", message),
    StorageUnavailable: () =>
      answer("temporarily_unavailable", 503, "This is not possible right now", "Please try again in a moment.")
  })

const answerTo = answersFor(words.client)
const answerAtAccount = answersFor(words.account)

/** The characters that `error_description` may hold (RFC 6749, appendix A.8). */
const printable = (text: string): string => text.replace(/[^\x20\x21\x23-\x5B\x5D-\x7E]/gu, " ")

/**
 * The one place where a failed authorization becomes an answer: a redirect to the client with `error`, `state` and
 * `iss` (RFC 6749, section 4.1.2.1; RFC 9207) where the redirect is trusted, a page otherwise. Both carry a reference,
 * and these cookies.
 */
export const answerFailure = Effect.fnUntraced(function* (
  failure: AuthorizationFailure,
  cookies: ReadonlyArray<string> = []
): Effect.fn.Return<HttpServerResponse.HttpServerResponse> {
  const { code, status, title, text } = (failure.atAccount === true ? answerAtAccount : answerTo)(failure.reason)
  const reference = yield* Incident.note("Authorization failed", failure.reason)
  yield* Telemetry.count("mcp.sign_ins", { outcome: failure.reason._tag })
  const headers = new Headers(cookies.map((cookie): [string, string] => ["set-cookie", cookie]))
  if (failure.redirect === undefined) return yield* errorPage(status, title, text, reference, headers)
  const description = printable(`${text} Reference ${reference}`)
  const location = new URL(authorizationErrorRedirect(failure.redirect, "invalid_request", description))
  // The library's type knows the codes of RFC 6749 only.
  location.searchParams.set("error", code)
  return redirect(location.href, headers)
})
