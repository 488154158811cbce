import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"

import type { ConfigurationError } from "../config/AppConfig.ts"
import { html } from "./Html.ts"
import { page } from "./Page.ts"

/** Answers every request with one page, and logs the same: what has to be set. Nothing else is served. */
export const misconfigured = (error: ConfigurationError) => {
  const items = error.problems.map(
    ({ name, problem, expected }) => html`<li><code>${name}</code> is ${problem}: ${expected}.</li> `
  )
  const log = Effect.logError("The server is not set up").pipe(Effect.annotateLogs({ problems: error.message }))
  return HttpRouter.add(
    "*",
    "*",
    Effect.map(log, () =>
      page(
        "This server is not set up yet",
        html`<p>
            Set these in <code>wrangler.jsonc</code>, as secrets, or for work on a laptop in <code>.dev.vars</code>:
          </p>
          <ul>
            ${items}
          </ul>`,
        { status: 500 }
      )
    )
  )
}
