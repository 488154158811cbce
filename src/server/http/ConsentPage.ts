import type * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"

import * as Scope from "../domain/Scope.ts"
import type { ConsentDescription } from "../oauth/Consent.ts"
import { receiverOf } from "../oauth/RedirectUri.ts"
import { displayName } from "./DisplayName.ts"
import { type Html, html } from "./Html.ts"
import { page } from "./Page.ts"

const choice = (name: string, value: string, text: string, state: Html): Html =>
  html`<label>
    <input type="checkbox" name="${name}" value="${value}" ${state} />
    <span>${text}</span>
  </label>`

const scopeChoice = (scope: Scope.Scope, sentence: string, asked: boolean): Html =>
  scope === Scope.baseline
    ? choice("scope", scope, `${sentence} (always needed)`, html`checked disabled`)
    : choice("scope", scope, sentence, asked ? html`checked` : html``)

const rememberChoice = choice("remember", "yes", "Do not ask again for this app in this browser for 30 days", html``)

/** Anybody can present a published identity and receive codes on a device: such an app is asked about each time. */
const mayBeRemembered = (client: ConsentDescription, onDevice: boolean): boolean =>
  client.clientDomain === undefined || !onDevice

/** The first button of a form is what Enter presses in a field: nobody shall consent by accident. */
const undecided = html`<button name="decision" value="" hidden></button>`

interface Question {
  /** The address of this server. */
  readonly server: URL
  readonly client: ConsentDescription
  /** What can be granted, each with the sentence that tells what it allows. */
  readonly scopes: ReadonlyMap<Scope.Scope, string>
  /** What comes after consent. */
  readonly announcement: string
  readonly handle: string
  readonly headers: Headers
}

/**
 * Asks the person whether this client may act for them (MCP security best practices, confused deputy). What the client
 * asked for is ticked, the rest of the catalogue is offered.
 */
export const consentPage = ({
  server,
  client,
  scopes,
  announcement,
  handle,
  headers
}: Question): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  const asked = new Set(client.scope)
  const receiver = receiverOf(client.redirectUri)
  const onDevice = client.redirectIsLoopback || receiver.ownScheme
  return page(
    `Allow an app to use ${server.host} in your name?`,
    html`<p>
        ${
          client.clientDomain === undefined
            ? html`The app gave itself this name; it is <strong>not verified</strong>.`
            : html`The app is published at <strong>${client.clientDomain}</strong>, which is verified:
                <code>${client.clientId}</code>`
        }
      </p>
      <p>
        If you allow it, access is handed to
        ${receiver.ownScheme ? "whatever app on your device opens addresses that begin with " : ""}
        <strong>${receiver.name}</strong>.
      </p>
      ${
        onDevice
          ? html`<p class="warning">
              <strong>This is an app on your own device.</strong> Continue only if you have just started to connect it
              yourself.
            </p>`
          : ""
      }
      <form method="post" action="/authorize">
        <input type="hidden" name="handle" value="${handle}" />
        ${undecided}
        <fieldset>
          <legend>The app may</legend>
          ${[...scopes].map(([scope, sentence]) => scopeChoice(scope, sentence, asked.has(scope)))}
        </fieldset>
        ${mayBeRemembered(client, onDevice) ? rememberChoice : ""}
        <p><small>${announcement}</small></p>
        <div class="buttons">
          <button class="primary" name="decision" value="approve">Allow</button>
          <button name="decision" value="deny">Deny</button>
        </div>
      </form>`,
    {
      headers,
      heading: html`Allow ${displayName(client.clientName, "an app without a name")} to use ${server.host} in your name?`,
      leadsTo: client.redirectUri
    }
  )
}
