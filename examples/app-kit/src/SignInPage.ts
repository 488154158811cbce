const script = "document.forms[0].submit()"

/** Text as it may stand between tags and between quotation marks. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0) ?? 0};`)

const scriptHash = async (): Promise<string> => {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script))
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
}

/**
 * A page whose form posts itself to `action`, or waits for its button where scripts are off.
 *
 * The policy sets no `form-action`: Chromium would apply it to every redirect after the post, and the last one leads to
 * the MCP client. `referrer-policy: origin` because under `no-referrer` the browser would send `Origin: null`.
 */
export const postingPage = async (
  action: string,
  fields: Readonly<Record<string, string>>,
  cookies: Headers
): Promise<Response> => {
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`
  )
  const headers = new Headers(cookies)
  headers.set("content-type", "text/html; charset=utf-8")
  headers.set("cache-control", "no-store")
  headers.set("referrer-policy", "origin")
  headers.set("x-content-type-options", "nosniff")
  headers.set(
    "content-security-policy",
    `default-src 'none'; script-src 'sha256-${await scriptHash()}'; base-uri 'none'; frame-ancestors 'none'`
  )
  return new Response(
    `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Back to the MCP server</title>
</head>
<body>
<form method="post" action="${escapeHtml(action)}">
${inputs.join("\n")}
<p>This goes on by itself. If it does not:</p>
<button type="submit">Continue</button>
</form>
<script>${script}</script>
</body>
</html>
`,
    { headers }
  )
}
