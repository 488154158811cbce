import { escapeHtml, htmlPage } from "./Page.ts"

const script = "document.forms[0].submit()"

/** SHA-256 of `script` (Content Security Policy Level 3, section 2.3.1). */
const scriptHash = "sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE="

/**
 * A page whose form posts itself to `action`, or waits for its button where scripts are off.
 *
 * The policy sets no `form-action`: Chromium would apply it to every redirect after the post, and the last one leads to
 * the MCP client. `referrer-policy: origin` because under `no-referrer` the browser would send `Origin: null`.
 */
export const postingPage = (action: string, fields: Readonly<Record<string, string>>, cookies: Headers): Response => {
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`
  )
  const headers = new Headers(cookies)
  headers.set("referrer-policy", "origin")
  headers.set("x-content-type-options", "nosniff")
  headers.set(
    "content-security-policy",
    `default-src 'none'; script-src '${scriptHash}'; base-uri 'none'; frame-ancestors 'none'`
  )
  const form = `<form method="post" action="${escapeHtml(action)}">
${inputs.join("\n")}
<p>This goes on by itself. If it does not:</p>
<button type="submit">Continue</button>
</form>
<script>${script}</script>`
  return htmlPage("Back to the MCP server", form, headers)
}
