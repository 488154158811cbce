import type * as HttpServerResponse from "effect/http/HttpServerResponse"

import * as Scope from "../domain/Scope.ts"
import type { ConsentDescription } from "../oauth/AuthorizationServer.ts"
import { type Html, html } from "./Html.ts"
import { page } from "./Page.ts"

const choice = (name: string, value: string, text: string, state: Html): Html =>
  html`<label>
    <input type="checkbox" name="${name}" value="${value}" ${state} />
    <span>${text}</span>
  </label>`

const scopeChoice = (scope: Scope.Scope, asked: boolean): Html =>
  scope === Scope.baseline
    ? choice("scope", scope, `${Scope.catalogue[scope]} (always needed)`, html`checked disabled`)
    : choice("scope", scope, Scope.catalogue[scope], asked ? html`checked` : html``)

const rememberChoice = choice("remember", "yes", "Do not ask again for this app in this browser for 30 days", html``)

/** The name that a client gave itself, without characters that hide or reorder text, and short enough to leave room. */
const displayName = (name: string): string => {
  const visible = Array.from(name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115F\u1160\u2800\u3164]/gu, "").trim())
  return visible.length === 0 ? "an app without a name" : `“${visible.slice(0, 80).join("")}”`
}

/** Anybody can present a published identity and listen on a local port: such an app is asked about each time. */
const mayBeRemembered = (client: ConsentDescription): boolean =>
  client.clientDomain === undefined || !client.redirectIsLoopback

/** The first button of a form is what Enter presses in a field: nobody shall consent by accident. */
const undecided = html`<button name="decision" value="" hidden></button>`

interface Question {
  /** The address of this server. */
  readonly server: URL
  readonly client: ConsentDescription
  /** What can be granted. */
  readonly scopes: ReadonlyArray<Scope.Scope>
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
}: Question): HttpServerResponse.HttpServerResponse => {
  const asked = new Set(client.scope)
  return page(
    `Allow ${displayName(client.clientName)} to use ${server.host} in your name?`,
    html`<p>
        ${
          client.clientDomain === undefined
            ? html`The app gave itself this name; it is <strong>not verified</strong>.`
            : html`The app is published at <strong>${client.clientDomain}</strong>, which is verified:
                <code>${client.clientId}</code>`
        }
      </p>
      <p>If you allow it, access is handed to <strong>${new URL(client.redirectUri).host}</strong>.</p>
      ${
        client.redirectIsLoopback
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
          ${scopes.map((scope) => scopeChoice(scope, asked.has(scope)))}
        </fieldset>
        ${mayBeRemembered(client) ? rememberChoice : ""}
        <p><small>${announcement}</small></p>
        <div class="buttons">
          <button class="primary" name="decision" value="approve">Allow</button>
          <button name="decision" value="deny">Deny</button>
        </div>
      </form>`,
    { headers }
  )
}
