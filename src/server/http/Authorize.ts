import * as Effect from "effect/Effect"

import { AppConfig } from "../config/AppConfig.ts"
import { ServerInfo } from "../config/ServerInfo.ts"
import { AuthorizationFailure, rejected, tellingClient } from "../oauth/AuthorizationFailure.ts"
import { repeated } from "../oauth/AuthorizationParameters.ts"
import { Consent } from "../oauth/Consent.ts"
import { OAuthEndpoints } from "../oauth/OAuthEndpoints.ts"
import type { AuthRequest } from "../oauth/OAuthLibrary.ts"
import { SignIn } from "../oauth/SignIn.ts"
import { answerFailure } from "./AuthorizationAnswer.ts"
import { consentPage } from "./ConsentPage.ts"
import { Idempotency } from "./Idempotency.ts"
import { redirect } from "./Page.ts"
import { readForm, webRequest } from "./WebRequest.ts"

/** The consent page for a request. `headers` carries the cookies of the step before it. */
export const askForConsent = Effect.fnUntraced(function* (authRequest: AuthRequest, headers: Headers = new Headers()) {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const { scopes } = yield* ServerInfo
  const consent = yield* Consent
  const { announcement } = yield* SignIn
  const client = yield* consent.describe(authRequest)
  const { handle, headers: all } = yield* consent.begin(authRequest)
  for (const cookie of headers.getSetCookie()) all.append("set-cookie", cookie)
  return yield* consentPage({ server: publicUrl, client, scopes, announcement, handle, headers: all })
})

/** `GET /authorize`: asks for consent, or goes on to the sign-in where it was given before (RFC 6749, section 4.1.1). */
export const ask = Effect.gen(function* () {
  const request = yield* webRequest
  const consent = yield* Consent
  const signIn = yield* SignIn
  const idempotency = yield* Idempotency
  const authRequest = yield* (yield* OAuthEndpoints).parse(request)
  const goOn = Effect.gen(function* () {
    const asksAnew = authRequest.prompt?.includes("consent") === true
    const remembered = asksAnew ? undefined : yield* consent.remembered(request, authRequest)
    const known = yield* idempotency.known(request)
    if (remembered === undefined) return yield* askForConsent(authRequest, known)
    const next = yield* signIn.begin(remembered, known, "earlier")
    return redirect(next.location, next.headers)
  })
  return yield* tellingClient(authRequest)(goOn)
}).pipe(Effect.catchTag("AuthorizationFailure", answerFailure))

/** `POST /authorize`: takes the consent form back. Only this server's own page can have sent it. */
export const decide = Effect.gen(function* () {
  const request = yield* webRequest
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const consent = yield* Consent
  const signIn = yield* SignIn
  const idempotency = yield* Idempotency
  const origin = request.headers.get("origin")
  if (origin !== null && origin !== publicUrl.origin) return yield* rejected("The form was sent by another site")
  const form = yield* Effect.mapError(readForm(request), (reason) => new AuthorizationFailure({ reason }))
  if (repeated(form, "scope") !== undefined) return yield* rejected("The form holds a field twice")
  const handle = form.get("handle") ?? ""
  const approve = Effect.gen(function* () {
    const choice = { scopes: form.getAll("scope"), remember: form.get("remember") === "yes" }
    const approved = yield* consent.approve(request, handle, choice)
    const begin = signIn.begin(approved.authRequest, approved.headers, "now")
    const next = yield* tellingClient(approved.authRequest)(begin)
    return redirect(next.location, next.headers)
  })
  const deny = Effect.map(consent.deny(request, handle), ({ redirectTo, headers }) => redirect(redirectTo, headers))
  switch (form.get("decision")) {
    case "approve":
      return yield* idempotency.once(request, handle, form.toString(), approve)
    case "deny":
      return yield* idempotency.once(request, handle, form.toString(), deny)
    default:
      return yield* rejected("Neither Allow nor Deny was pressed")
  }
}).pipe(Effect.catchTag("AuthorizationFailure", answerFailure))
