import type * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"

import type { UserSnapshot } from "../access/UserSnapshot.ts"
import type { ConsentDescription } from "../oauth/Consent.ts"
import { nameOf, type Place } from "../oauth/Organizations.ts"
import { displayName } from "./DisplayName.ts"
import { type Html, html } from "./Html.ts"
import { page } from "./Page.ts"

/** Clerk's keys of roles have a prefix that tells people nothing. */
const roleName = (role: string): string => role.replace(/^org:/u, "").replaceAll("_", " ")

const choice = (place: Place, proposed: string): Html =>
  html`<label>
    <input
      type="radio"
      name="organization"
      value="${nameOf(place)}"
      ${nameOf(place) === proposed ? html`checked` : ""}
    />
    <span
      >${
        place === undefined
          ? "Your personal account, and no organization"
          : html`${displayName(place.name, "an organization without a name")} as
            ${roleName(place.role)}${place.slug === null ? "" : html` <small>(${place.slug})</small>`}`
      }</span
    >
  </label>`

/** Who has signed in, by what Clerk knows of them. */
export const account = ({ firstName, lastName, email, userId }: UserSnapshot): Html => {
  const name = [firstName, lastName].filter((part) => part !== null).join(" ")
  if (name === "") return html`<strong>${email ?? userId}</strong>`
  return html`${displayName(name, userId)}${email === null ? "" : html` <strong>${email}</strong>`}`
}

interface Question {
  readonly client: ConsentDescription
  readonly user: UserSnapshot
  readonly places: ReadonlyArray<Place>
  /** The host of the app, if people sign in there: it goes on with whoever is signed in. */
  readonly appHost: string | undefined
  /** The name of the place that is chosen already. */
  readonly proposed: string
  readonly state: string
  readonly headers: Headers
}

/** Asks a member of several organizations which one an app is connected for. The first button is what Enter presses. */
export const organizationPage = ({
  client,
  user,
  places,
  appHost,
  proposed,
  state,
  headers
}: Question): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  page(
    "Which organization is the app for?",
    html`<p>You are signed in as ${account(user)}.</p>
      <form method="post" action="/organization">
        <input type="hidden" name="state" value="${state}" />
        <button name="decision" value="continue" hidden></button>
        <div class="buttons"><button name="decision" value="other">Use another account</button></div>
        ${appHost === undefined ? "" : html`<p><small>For another account, sign out of ${appHost} first.</small></p>`}
        <fieldset>
          <legend>Connect the app for</legend>
          ${places.map((place) => choice(place, proposed))}
        </fieldset>
        <p>
          ${displayName(client.clientName, "The app")} will act in your name there, and in none of your other
          organizations. To change it, connect again.
        </p>
        <div class="buttons">
          <button class="primary" name="decision" value="continue">Continue</button>
          <button name="decision" value="cancel">Cancel</button>
        </div>
      </form>`,
    { headers, leadsTo: client.redirectUri }
  )
