import * as Effect from "effect/Effect"

import { AuthorizationFailure, refusing, rejected, tellingClient } from "../oauth/AuthorizationFailure.ts"
import { repeated } from "../oauth/AuthorizationParameters.ts"
import { SignIn } from "../oauth/SignIn.ts"
import { opened } from "./AccountSession.ts"
import { answerFailure } from "./AuthorizationAnswer.ts"
import { askForConsent } from "./Authorize.ts"
import { Idempotency } from "./Idempotency.ts"
import { grantOrAsk, hasGrant, placesFor } from "./Organization.ts"
import { redirect } from "./Page.ts"
import { readForm, webRequest } from "./WebRequest.ts"

/** `POST /callback`: the app where the person is signed in hands over its proof, by way of the browser. */
export const receive = Effect.gen(function* () {
  const request = yield* webRequest
  const signIn = yield* SignIn
  const form = yield* Effect.mapError(readForm(request), (reason) => new AuthorizationFailure({ reason }))
  if (repeated(form) !== undefined) return yield* rejected("The form holds a field twice")
  if (signIn.posted === undefined) {
    return yield* rejected("People sign in to this server with Clerk, which posts nothing here")
  }
  const next = yield* signIn.posted.receive(request.headers.get("origin"), form)
  return redirect(next.location, next.headers)
}).pipe(Effect.catchTag("AuthorizationFailure", answerFailure))

const goOn = Effect.fnUntraced(function* (request: Request) {
  const signIn = yield* SignIn
  const arrived = yield* signIn.finish(request)
  if (arrived.for === "account") {
    const { subject, headers } = arrived
    headers.append("set-cookie", yield* opened(subject.userId))
    return redirect("/account", headers)
  }
  const { authRequest, subject, user, consent, headers } = arrived
  const places = yield* refusing(authRequest)(placesFor(user, authRequest))
  const grant = Effect.gen(function* () {
    // What a browser remembers was said by somebody. Only now it is known whether by this person, and if it stands.
    if (consent === "earlier" && !(yield* hasGrant(authRequest, subject, places))) {
      return yield* askForConsent(authRequest, headers)
    }
    return yield* grantOrAsk(arrived, places)
  })
  return yield* tellingClient(authRequest)(grant)
})

/** `GET /callback`: the browser is back from the sign-in; the client gets its code (RFC 6749, section 4.1.2), unless there is an organization to choose first. */
export const finish = Effect.gen(function* () {
  const request = yield* webRequest
  const signIn = yield* SignIn
  const idempotency = yield* Idempotency
  const { search, searchParams } = new URL(request.url)
  const tell = (failure: AuthorizationFailure) => {
    // Nothing was used up: the same address can be opened again, with what the browser has.
    const again = failure.reason._tag === "StorageUnavailable" && failure.redirect === undefined
    return answerFailure(failure, again ? [] : (signIn.posted?.leftovers(request) ?? []))
  }
  const once = Effect.gen(function* () {
    if (repeated(searchParams) !== undefined) return yield* rejected("The address holds a parameter twice")
    const handle = yield* signIn.handle(searchParams.get("state") ?? "")
    // What the client is told of a sign-in that failed, it is told again.
    const told = Effect.catchTag(goOn(request), "AuthorizationFailure", (failure) =>
      failure.redirect === undefined ? Effect.fail(failure) : tell(failure)
    )
    return yield* idempotency.once(request, handle, search, told)
  })
  return yield* Effect.catchTag(once, "AuthorizationFailure", tell)
})
