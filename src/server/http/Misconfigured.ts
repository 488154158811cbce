import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import type { ConfigurationError } from "../config/ConfigurationError.ts"
import type { DefinitionError } from "../config/ServerInfo.ts"
import { html } from "./Html.ts"
import { page } from "./Page.ts"

const title = "This server is not set up yet"

/** What is to be done about it, and the list of it. */
const described = (error: ConfigurationError | DefinitionError) =>
  error._tag === "ConfigurationError"
    ? {
        todo: html`Set these in <code>wrangler.jsonc</code>, as secrets, or for work on a laptop in
          <code>.dev.vars</code>:`,
        items: error.problems.map(
          ({ name, problem, expected }) => html`<li><code>${name}</code> is ${problem}: ${expected}.</li> `
        )
      }
    : {
        todo: html`Its definition has faults. Correct these in its code:`,
        items: error.faults.map((fault) => html`<li>${fault}</li> `)
      }

/**
 * Answers every request with one page, or with text where that is asked for, and logs the same: what has to be set or
 * corrected. Nothing else is served.
 */
export const misconfigured = (error: ConfigurationError | DefinitionError) => {
  const { todo, items } = described(error)
  const log = Effect.logError("The server is not set up").pipe(Effect.annotateLogs({ problems: error.message }))
  const document = page(
    title,
    html`<p>${todo}</p>
      <ul>
        ${items}
      </ul>`,
    { status: 500 }
  )
  const text = HttpServerResponse.text(`${title}: ${error.message}`, { status: 500 })
  return HttpRouter.add("*", "*", ({ headers }) =>
    Effect.andThen(log, headers["accept"] === "text/plain" ? Effect.succeed(text) : document)
  )
}
