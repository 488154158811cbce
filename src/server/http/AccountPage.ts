import * as DateTime from "effect/DateTime"
import type * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"

import type { UserSnapshot } from "../access/UserSnapshot.ts"
import type * as Scope from "../domain/Scope.ts"
import { Kind } from "../mcp/ServerFactory.ts"
import { receiverOf } from "../oauth/RedirectUri.ts"
import type { Grant } from "../oauth/UserAuthorities.ts"
import type { Decision } from "../observability/Decisions.ts"
import { isOperatorAction, type OperatorAction, type Recorded } from "../observability/OperatorActions.ts"
import { displayName } from "./DisplayName.ts"
import { type Html, html } from "./Html.ts"
import { account } from "./OrganizationPage.ts"
import { page } from "./Page.ts"

/** A connection as it is shown. */
export interface Connection {
  readonly grant: Grant
  /** The name that the client gave itself. */
  readonly clientName: string | undefined
}

/** What an operator may do besides. */
interface OfOperator {
  /** What was asked of somebody's rights, and the answer in words. */
  readonly explained?: string
  /** Whether somebody else's connections are shown. */
  readonly another: boolean
}

interface View {
  readonly server: URL
  readonly user: UserSnapshot
  readonly connections: ReadonlyArray<Connection>
  readonly recorded: ReadonlyArray<Recorded>
  /** What scopes allow, in the sentences of the consent page. */
  readonly scopes: ReadonlyMap<Scope.Scope, string>
  readonly token: string
  readonly operator?: OfOperator
}

const minutes = (millis: number): Html => {
  const iso = DateTime.formatIso(DateTime.makeUnsafe(millis))
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`
}

const hidden = (name: string, value: string): Html => html`<input type="hidden" name="${name}" value="${value}" />`

const connection = ({ user, scopes, token }: View, { grant, clientName }: Connection): Html => {
  const { id, organizationId, redirectUri, createdAt, usedAt, sessions = 0 } = grant
  const organization = user.memberships?.find((each) => each.id === organizationId)
  const name = displayName(clientName ?? "", "An app without a name")
  return html`<li>
    <h3 id="name-${id}">${name}</h3>
    <dl>
      ${
        redirectUri === undefined
          ? ""
          : html`<dt>Receives access at</dt>
              <dd>${receiverOf(redirectUri).name}</dd>`
      }
      <dt>For</dt>
      <dd>
        ${
          organizationId === undefined
            ? "the personal account"
            : displayName(organization?.name ?? "", "an organization that you have left")
        }
      </dd>
      <dt>May</dt>
      <dd>
        <ul>
          ${grant.scopes.map((scope) => html`<li>${scopes.get(scope) ?? scope}</li>`)}
        </ul>
      </dd>
      <dt>Connected</dt>
      <dd id="since-${id}">${minutes(createdAt)}</dd>
      <dt>Last used</dt>
      <dd>${minutes(usedAt)}</dd>
      <dt>Open sessions</dt>
      <dd>${String(sessions)}</dd>
    </dl>
    <form method="post" action="/account/end">
      ${hidden("token", token)}${hidden("user", user.userId)}${hidden("grant", id)}
      <div class="buttons">
        <button id="end-${id}" aria-labelledby="end-${id} name-${id}" aria-describedby="since-${id}">
          End this connection
        </button>
      </div>
    </form>
  </li>`
}

const outcome = ({ policy, lacked, outcome }: Decision): string => {
  if (policy === "allowed") return outcome
  if (policy === "unknown") return "nobody could tell"
  return lacked.length === 0 ? "refused" : `refused: ${lacked.join(", ")}`
}

const action = ({ did }: OperatorAction): string => {
  switch (did._tag) {
    case "Looked":
      return "an operator looked at this page"
    case "Asked":
      return `an operator asked about ${did.kind} ${did.name}`
    case "Ended":
      return "connection ended by an operator"
  }
}

const row = (one: Recorded): Html =>
  html`<tr>
    <td>${minutes(one.time)}</td>
    <td>${isOperatorAction(one) ? action(one) : `${one.method} ${one.name}`}</td>
    <td>${isOperatorAction(one) ? "done" : outcome(one)}</td>
    <td><code>${one.reference}</code></td>
  </tr>`

const operatorForms = ({ user, token, operator }: View): Html =>
  operator === undefined
    ? html``
    : html`<h2>For operators</h2>
        <form method="post" action="/account/people">
          ${hidden("token", token)}
          <label>Find somebody <input type="text" name="who" required placeholder="user_… or e-mail address" /></label>
          <div class="buttons"><button>Find</button></div>
        </form>
        ${
          operator.another
            ? html`<form method="post" action="/account/explain">
                ${hidden("token", token)}${hidden("user", user.userId)}
                <label
                  >Why may this person (not) use the
                  <select name="kind">
                    ${Kind.literals.map((kind) => html`<option>${kind}</option>`)}
                  </select>
                  <input type="text" name="name" required aria-label="Name of the tool, resource or prompt"
                /></label>
                <div class="buttons"><button>Explain</button></div>
              </form>`
            : ""
        }
        ${operator.explained === undefined ? "" : html`<p role="status">${operator.explained}</p>`}`

/** The apps that somebody has connected, what was decided on their messages, and the ways to end them. */
export const accountPage = (view: View): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  const { server, user, connections, recorded, token, operator } = view
  const title = operator?.another === true ? "Connected apps of a person" : "Your connected apps"
  return page(
    title,
    html`<p>${operator?.another === true ? "This is" : "You are signed in as"} ${account(user)}.</p>
      <form method="post" action="/account/sign-out">
        ${hidden("token", token)}
        <div class="buttons"><button>Sign out of this page</button></div>
      </form>
      ${
        connections.length === 0
          ? html`<p>No app is connected to ${server.host}.</p>`
          : html`<ul class="plain">
                ${connections.map((each) => connection(view, each))}
              </ul>
              <form method="post" action="/account/end">
                ${hidden("token", token)}${hidden("user", user.userId)}${hidden("grant", "all")}
                <div class="buttons"><button>End all connections</button></div>
              </form>`
      }
      <h2>What apps asked for last</h2>
      ${
        recorded.length === 0
          ? html`<p>Nothing yet.</p>`
          : html`<div class="wide" tabindex="0" role="region" aria-label="What apps asked for last">
              <table>
                <thead>
                  <tr>
                    <th>When</th>
                    <th>What</th>
                    <th>Result</th>
                    <th>Reference</th>
                  </tr>
                </thead>
                <tbody>
                  ${recorded.map(row)}
                </tbody>
              </table>
            </div>`
      }
      ${operatorForms(view)}`,
    { leadsTo: server.href }
  )
}

/** For whoever is not signed in to the page. */
export const signedOutPage = (server: URL, announcement: string) =>
  page(
    "Your connected apps",
    html`<p>Sign in to see which apps are connected to ${server.host} in your name, and to end them.</p>
      <form method="post" action="/account/sign-in">
        <p><small>${announcement}</small></p>
        <div class="buttons">
          <button class="primary">Sign in</button>
          <button name="as" value="another">Use another account</button>
        </div>
      </form>`,
    { leadsTo: server.href }
  )
