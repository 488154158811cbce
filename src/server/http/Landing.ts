import * as Effect from "effect/Effect"

import { toWords } from "../access/PolicyWords.ts"
import { type ConnectedServer, type KnownClient, knownClients } from "../clients/KnownClients.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { ServerInfo } from "../config/ServerInfo.ts"
import { ServerFactory } from "../mcp/ServerFactory.ts"
import { address } from "../oauth/Resource.ts"
import { type Html, html } from "./Html.ts"
import { errorPage, page } from "./Page.ts"

/** How one client is connected, folded away until somebody asks for it. */
const clientEntry = ({ title, setup }: KnownClient, server: ConnectedServer): Html => {
  const { steps, link, copy, next } = setup(server)
  return html`<details>
    <summary>${title}</summary>
    ${steps === undefined ? "" : html`<p>${steps}</p>`}
    ${link === undefined ? "" : html`<p><a href="${link}">Add to ${title}</a>, or by hand:</p>`}
    ${
      copy === undefined
        ? ""
        : html`<p>In ${copy.into}:</p>
            <p class="copy"><code>${copy.text}</code></p>`
    }
    <p>${next}</p>
  </details>`
}

type Tool = ServerFactory["Service"]["tools"][number]

const toolEntry = ({ listed: { name, title, description }, policy }: Tool): Html =>
  html`<li>
    <strong>${title}</strong> ${title === name ? "" : html`<small>(${name})</small>`}<br />${description}<br /><small
      >For ${toWords(policy)}</small
    >
  </li>`

/** `GET /`: whose server this is and how it is connected, for a person who opened the address in a browser. */
export const makeLanding = Effect.map(ServerFactory, ({ tools }) => {
  const usable = tools.filter(({ policy }) => policy._tag !== "Nobody")
  return Effect.gen(function* () {
    const { PUBLIC_URL: publicUrl } = yield* AppConfig
    const { name, title, description, publicTools = true } = yield* ServerInfo
    const server = { name, address: address(publicUrl, "/mcp") }
    return yield* page(
      `Connect ${title} to your AI app`,
      html`${description === undefined ? "" : html`<p>${description}</p>`}
        <p>${publicUrl.host} is an MCP server. Any app that speaks MCP connects to this address:</p>
        <p class="copy"><code>${server.address}</code></p>
        <p>The app opens a page of this server, on which you decide what it may do, and then you sign in.</p>
        <h2>Your app</h2>
        ${knownClients.map((client) => clientEntry(client, server))}
        ${
          !publicTools || usable.length === 0
            ? ""
            : html`<h2>Tools</h2>
                <ul>
                  ${usable.map(toolEntry)}
                </ul>`
        }
        <h2>What is connected</h2>
        <p><a href="/account">See which apps you have connected, and end them</a></p>`
    )
  })
})

/** Whatever no route knows. */
export const notFound = errorPage(404, "There is nothing here", "Check the address. MCP clients connect to /mcp.")
