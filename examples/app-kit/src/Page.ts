/** Text as it may stand between tags and between quotation marks. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0) ?? 0};`)

/** A page that nobody keeps. `title` and `body` are HTML; `headers` go out with it. */
export const htmlPage = (title: string, body: string, headers: Headers): Response => {
  const all = new Headers(headers)
  all.set("content-type", "text/html; charset=utf-8")
  all.set("cache-control", "no-store")
  return new Response(
    `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
</head>
<body>
${body}
</body>
</html>
`,
    { headers: all }
  )
}
