import * as Effect from "effect/Effect"

import { Access, OrganizationLeft } from "../access/Access.ts"
import type { UserSnapshot } from "../access/UserSnapshot.ts"
import { AppConfig } from "../config/AppConfig.ts"
import type { GrantProps } from "../domain/Principal.ts"
import {
  AuthorizationFailure,
  refusing,
  rejected,
  SignInDeclined,
  tellingClient
} from "../oauth/AuthorizationFailure.ts"
import { repeated } from "../oauth/AuthorizationParameters.ts"
import { Consent } from "../oauth/Consent.ts"
import { Grants } from "../oauth/Grants.ts"
import type { AuthRequest, WithHeaders } from "../oauth/OAuthLibrary.ts"
import { OrganizationChoice } from "../oauth/OrganizationChoice.ts"
import { nameOf, type Place, placeAt, placesOf, proposalOf } from "../oauth/Organizations.ts"
import { resourceOf, slugOf } from "../oauth/Resource.ts"
import { type ConsentTime, SignIn, type SignedInNow } from "../oauth/SignIn.ts"
import { answerFailure } from "./AuthorizationAnswer.ts"
import { askForConsent } from "./Authorize.ts"
import { Idempotency } from "./Idempotency.ts"
import { organizationPage } from "./OrganizationPage.ts"
import { errorPage, redirect } from "./Page.ts"
import { readForm, webRequest } from "./WebRequest.ts"

/** What somebody can connect an app for. */
export const placesFor = Effect.fnUntraced(function* (user: UserSnapshot, { resource }: AuthRequest) {
  const { ORGANIZATIONS: setting, PUBLIC_URL: publicUrl } = yield* AppConfig
  const places = yield* placesOf(setting, user)
  const slug = slugOf(resourceOf(publicUrl, String(resource)))
  return slug === undefined ? places : yield* placeAt(places, slug)
})

/**
 * Whether the person has a connection to this client, not ended, that may do all of this already, and for one of these
 * places: consent of somebody who was in no organization then says nothing of the one that they are in now.
 */
export const hasGrant = Effect.fnUntraced(function* (
  { clientId, scope }: AuthRequest,
  { userId }: GrantProps,
  places: ReadonlyArray<Place>
) {
  const grants = yield* (yield* Grants).list(userId)
  return grants.some(
    (grant) =>
      grant.clientId === clientId &&
      scope.every((asked) => grant.scopes.includes(asked)) &&
      places.some((place) => place?.id === grant.organizationId)
  )
})

/** Makes the grant for this place. */
const grant = Effect.fnUntraced(function* (
  authRequest: AuthRequest,
  { organizationId: _, ...subject }: GrantProps,
  place: Place,
  headers: Headers
) {
  const props = { ...subject, ...(place !== undefined && { organizationId: place.id }) }
  return redirect(yield* (yield* Grants).complete(authRequest, props), headers)
})

/** Somebody who is back from the sign-in. */
export interface Arrived extends WithHeaders, SignedInNow {
  readonly authRequest: AuthRequest
  readonly consent: ConsentTime
}

/** The client's code for whoever has nothing to choose, and the page that asks the others. */
export const grantOrAsk = Effect.fnUntraced(function* (
  { authRequest, subject, user, proposed: open, consent, headers }: Arrived,
  places: Effect.Success<ReturnType<typeof placesFor>>
) {
  if (places.length === 1) return yield* grant(authRequest, subject, places[0], headers)
  const grants = yield* (yield* Grants).list(subject.userId)
  const proposed = proposalOf(
    places,
    open,
    grants.filter(({ clientId }) => clientId === authRequest.clientId)
  )
  const { SIGN_IN: mode, APP_URL: appUrl } = yield* AppConfig
  const appHost = mode === "app" ? appUrl.host : undefined
  const client = yield* (yield* Consent).describe(authRequest)
  const asked = yield* (yield* OrganizationChoice).begin(authRequest, { subject, consent }, headers)
  return yield* organizationPage({ client, user, places, appHost, proposed, ...asked })
})

/** `POST /organization`: takes the choice back. Only this server's own page can have sent it. */
export const choose = Effect.gen(function* () {
  const request = yield* webRequest
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const choice = yield* OrganizationChoice
  const signIn = yield* SignIn
  const idempotency = yield* Idempotency
  const origin = request.headers.get("origin")
  if (origin !== null && origin !== publicUrl.origin) return yield* rejected("The form was sent by another site")
  const form = yield* Effect.mapError(readForm(request), (reason) => new AuthorizationFailure({ reason }))
  if (repeated(form) !== undefined) return yield* rejected("The form holds a field twice")
  const state = form.get("state") ?? ""
  const handle = yield* choice.handle(state)
  const decision = form.get("decision")
  if (decision !== "continue" && decision !== "cancel" && decision !== "other") {
    return yield* rejected("Neither Continue nor Cancel was pressed")
  }

  const goOn = Effect.gen(function* () {
    const { authRequest, subject, consent, headers } = yield* choice.finish(request, state)
    const told = tellingClient(authRequest)
    switch (decision) {
      case "other": {
        const asked = { ...authRequest, prompt: [...(authRequest.prompt ?? []), "login" as const] }
        const next = yield* told(signIn.begin(asked, headers, consent))
        return redirect(next.location, next.headers)
      }
      case "cancel":
        return yield* refusing(authRequest)(Effect.fail({ reason: new SignInDeclined({ error: "access_denied" }) }))
      case "continue": {
        const access = yield* Access
        const now = Effect.flatMap(access.current(subject.userId), (user) => placesFor(user, authRequest))
        const places = yield* refusing(authRequest)(now)
        const chosen = places.filter((place) => nameOf(place) === form.get("organization"))
        if (chosen.length === 0) {
          return yield* refusing(authRequest)(Effect.fail({ reason: new OrganizationLeft() }))
        }
        // Consent that a browser remembers was given for the place of a connection that stands.
        if (consent === "earlier" && !(yield* told(hasGrant(authRequest, subject, chosen)))) {
          return yield* told(askForConsent(authRequest, headers))
        }
        return yield* told(grant(authRequest, subject, chosen[0], headers))
      }
    }
  })
  // What the client is told of a choice that failed, it is told again.
  const told = Effect.catchTag(goOn, "AuthorizationFailure", (failure) =>
    failure.redirect === undefined ? Effect.fail(failure) : answerFailure(failure)
  )
  return yield* idempotency.once(request, handle, form.toString(), told)
}).pipe(Effect.catchTag("AuthorizationFailure", answerFailure))

/** `GET /organization`: somebody loads the address of the form again. */
export const nothingToChoose = errorPage(
  404,
  "There is nothing to choose here",
  "The page on which you choose an organization comes after signing in. Go back to your app and connect again."
)
