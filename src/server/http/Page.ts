import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"

import { Html, html } from "./Html.ts"
import { PageBrand } from "./PageBrand.ts"
import { fromResponse } from "./WebRequest.ts"

/**
 * The one style sheet. It stands in the page, so that a page is one request; the policy names it by its hash. Buttons
 * take no click at first: the second one of a double-click on another page shall not decide anything.
 */
const style = `
:root { color-scheme: light dark; --line: #8889; --accent: #2457d6; --on-accent: #fff; --warn: #b45309 }
@media (prefers-color-scheme: dark) { :root { --accent: #8ab0ff; --on-accent: #0b1220; --warn: #fbbf24 } }
* { box-sizing: border-box }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; display: grid; min-height: 100dvh; place-items: center }
main { width: min(34rem, 100%); min-width: 0; padding: 1.5rem }
@media (min-width: 36rem) { main { border: 1px solid var(--line); border-radius: .75rem; padding: 2rem } }
header { display: flex; align-items: center; gap: .6rem; font-weight: 600 }
footer { margin-top: 1.5rem }
a { color: var(--accent) }
h1 { font-size: 1.4rem; line-height: 1.25; overflow-wrap: anywhere; text-wrap: balance }
li { margin: .4rem 0 }
p, li, label { overflow-wrap: anywhere }
fieldset { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: 1rem 0 }
legend { padding: 0 .25rem; font-weight: 600 }
label { display: flex; gap: .6rem; align-items: baseline; padding: .3rem 0 }
input { accent-color: var(--accent); width: 1.1rem; height: 1.1rem; flex: none }
small { opacity: .8 }
code { overflow-wrap: anywhere }
.name { display: inline-block; max-width: 100%; max-height: 5lh; padding: 0 .4rem; border: 1px solid var(--line); border-radius: .4rem; overflow: hidden; vertical-align: top }
.warning { border-left: .3rem solid var(--warn); padding-left: .75rem }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
h3 { font-size: 1rem; margin: 0 0 .5rem }
dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .2rem .8rem; margin: 0; overflow-wrap: anywhere }
dt { opacity: .8 }
dd { margin: 0 }
dd ul { margin: 0; padding-left: 1.1rem }
.plain { list-style: none; padding: 0 }
.plain > li { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 1rem 0 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; vertical-align: top }
input[type=text], select { font: inherit; width: auto; height: auto; min-width: 0; flex: 1; padding: .4rem; color: inherit; background: none; border: 1px solid var(--line); border-radius: .4rem }
.copy { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .75rem }
.copy code { user-select: all; overflow-wrap: anywhere }
details { border-bottom: 1px solid var(--line) }
summary { padding: .6rem 0; cursor: pointer; font-weight: 600 }
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem }
button { flex: 1; font: inherit; padding: .65rem 1.4rem; border-radius: .5rem; border: 1px solid var(--line); background: none; color: inherit; min-width: 8rem; cursor: pointer }
@keyframes arm { 0%, 99% { pointer-events: none } }
.buttons button { animation: arm .7s }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600 }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
`

// Not written into the template: the hash is of these very bytes.
const styleElement = new Html(`<style>${style}</style>`)

/** SHA-256 of `style` (Content Security Policy Level 3, section 2.3.1). */
const styleHash = "sha256-e0lmCJhc0+nQsp5ZPRVfkP4IxCMIe4GvmCZuWU/nE0U="

/**
 * Where the form of a page may lead. Browsers hold each redirect that follows a form to it as well: the sign-in, whose
 * own hops only Clerk knows, and at its end the client's `redirectUri`. No address of the policy can be an IPv6 one.
 */
const formTargets = (redirectUri: string): string => {
  const { protocol, hostname } = new URL(redirectUri)
  const known = `'self' https: http://localhost:* http://127.0.0.1:*`
  if (protocol !== "http:") return protocol === "https:" ? known : `${known} ${protocol}`
  if (hostname === "localhost" || hostname === "127.0.0.1") return known
  return hostname === "[::1]" ? `${known} http:` : `${known} http://${hostname}:*`
}

/** What every page is sent with: nothing runs, nobody frames it, no form leads elsewhere; its icon alone is fetched. */
const securityHeaders = (formAction: string, styles: ReadonlyArray<string>, hasImage: boolean) => ({
  "content-security-policy": [
    "default-src 'none'",
    `style-src ${styles.map((hash) => `'${hash}'`).join(" ")}`,
    `img-src 'self'${hasImage ? " data:" : ""}`,
    "base-uri 'none'",
    `form-action ${formAction}`,
    "frame-ancestors 'none'"
  ].join("; "),
  "x-frame-options": "DENY",
  // Not `no-referrer`, under which browsers post forms with `Origin: null`.
  "referrer-policy": "same-origin",
  "cache-control": "no-store"
})

/**
 * A whole page, in the server's brand. `headers` carries the cookies that belong to it, `heading` is for where the title
 * is not enough. A page without `leadsTo`, the redirect URI at the end of what its form begins, has no form.
 */
export const page = Effect.fnUntraced(function* (
  title: string,
  body: Html,
  options: {
    readonly status?: number
    readonly headers?: Headers
    readonly heading?: Html
    readonly leadsTo?: string
  } = {}
): Effect.fn.Return<HttpServerResponse.HttpServerResponse> {
  const brand = yield* PageBrand
  const { markup } = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
        ${styleElement}${brand.style}
      </head>
      <body>
        <main>
          ${brand.header}
          <h1>${options.heading ?? title}</h1>
          ${body}${brand.footer}
        </main>
      </body>
    </html> `
  const headers = new Headers(options.headers)
  const formAction = options.leadsTo === undefined ? "'none'" : formTargets(options.leadsTo)
  const styles = [styleHash, ...(brand.styleHash === undefined ? [] : [brand.styleHash])]
  for (const [name, value] of Object.entries(securityHeaders(formAction, styles, brand.hasImage))) {
    headers.set(name, value)
  }
  headers.set("content-type", "text/html; charset=utf-8")
  return fromResponse(new Response(markup, { status: options.status ?? 200, headers }))
})

/** A page that says what went wrong and what to do next, in plain words, and how to find it in the log. */
export const errorPage = (
  status: number,
  title: string,
  text: string,
  reference?: string,
  headers = new Headers()
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  page(
    title,
    html`<p>${text}</p>
      ${
        reference === undefined
          ? ""
          : html`<p>
              <small>Reference: <code>${reference}</code></small>
            </p>`
      }
      <p><a href="/">What this server is, and how to connect an app</a></p>`,
    { status, headers }
  )

/** A redirect that also hands over the cookies of the step before it. */
export const redirect = (location: string, headers: Headers): HttpServerResponse.HttpServerResponse => {
  const all = new Headers(headers)
  all.set("location", location)
  all.set("cache-control", "no-store")
  return fromResponse(new Response(null, { status: 302, headers: all }))
}
