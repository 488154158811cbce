import * as Effect from "effect/Effect"

import { AppConfig } from "../config/AppConfig.ts"
import { ServerInfo } from "../config/ServerInfo.ts"
import { address } from "../oauth/Resource.ts"
import { html } from "./Html.ts"
import { errorPage, page } from "./Page.ts"

/** `GET /`: what this is, for a person who opened the address in a browser. */
export const landing = Effect.gen(function* () {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const { name } = yield* ServerInfo
  const mcp = address(publicUrl, "/mcp")
  return yield* page(
    `${publicUrl.host} is an MCP server`,
    html`<p>Connect an MCP client, such as Claude, Cursor, VS Code or ChatGPT, to this address:</p>
      <p><code>${mcp}</code></p>
      <p>Your client opens a page of this server, on which you decide what it may do, and then you sign in.</p>
      <fieldset>
        <legend>Claude Code</legend>
        <code>claude mcp add --transport http ${name} ${mcp}</code>, then <code>claude mcp login ${name}</code> to sign
        in
      </fieldset>
      <fieldset>
        <legend>Clients that run commands only</legend>
        <code>npx -y mcp-remote ${mcp}</code>
      </fieldset>
      <p><a href="/account">See which apps you have connected, and end them</a></p>`
  )
})

/** Whatever no route knows. */
export const notFound = errorPage(404, "There is nothing here", "This server answers MCP clients at /mcp.")
