/** Text made safe for HTML content and double-quoted attributes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0) ?? 0};`)

/** A page of the stand-in. `body` is HTML, `title` is text. Nothing is loaded from elsewhere. */
export const pageFrame = (title: string, body: string): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem; color: #1b1b1f; background: #fff; }
.notice { border-left: .3rem solid #6c47ff; padding: .25rem .75rem; background: #f4f2ff; }
.error { border-left: .3rem solid #b3261e; padding: .25rem .75rem; background: #fdeeed; }
label { display: block; font-weight: 600; }
input, select, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; border: 1px solid #6b6b76; border-radius: .3rem; background: #fff; }
details { border-top: 1px solid #d5d5dd; padding: .5rem 0; }
summary, code { overflow-wrap: anywhere; }
summary { padding: .25rem 0; }
button { font: inherit; padding: .5rem 1rem; margin: .75rem .5rem 0 0; border-radius: .3rem; border: 1px solid #4b32b8; }
button.primary { background: #4b32b8; color: #fff; }
button.plain { background: #fff; color: #4b32b8; }
</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`

/** An error in plain words. */
export const errorPage = (title: string, explanation: string): string =>
  pageFrame(
    title,
    `<h1>${escapeHtml(title)}</h1>
<p class="notice">Local Clerk stand-in: for development only.</p>
<p>${escapeHtml(explanation)}</p>`
  )
