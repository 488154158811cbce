import { sessionReader } from "../src/Session.ts"
import type { Settings } from "../src/Settings.ts"
import { escapeHtml } from "../src/SignInPage.ts"
import { type Person, userRoutes } from "../src/Users.ts"

const signedIn = ({ firstName, lastName, email, role }: Person): string => {
  const name = [firstName, lastName].filter((part) => part !== null).join(" ")
  const who = escapeHtml(`${name} (${email ?? "no e-mail address"}), ${role ?? "without a role"}`)
  return `<p>You are signed in as ${who}.</p>
<form method="post" action="/sign-out"><button type="submit">Sign out</button></form>`
}

const signedOut = (signInUrl: string): string => `<p>You are not signed in.</p>
<a href="${escapeHtml(signInUrl)}">Sign in</a>`

const page = (body: string, cookies: Headers): Response => {
  const headers = new Headers(cookies)
  headers.set("content-type", "text/html; charset=utf-8")
  headers.set("cache-control", "no-store")
  return new Response(
    `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Example application</title>
</head>
<body>
<main>
<h1>Example application</h1>
${body}
</main>
</body>
</html>
`,
    { headers }
  )
}

/** `GET /`: the person who is signed in, or where to sign in. For examples that have no components of their own. */
export const home = (settings: Settings): ((request: Request) => Promise<Response>) => {
  const sessionOf = sessionReader(settings)
  const { person } = userRoutes(settings)
  const signIn = new URL(settings.signInUrl)
  signIn.searchParams.set("redirect_url", `${settings.appUrl}/`)

  return async (request) => {
    const session = await sessionOf(request)
    switch (session.kind) {
      case "redirect":
        return session.response
      case "signed-in":
        return page(signedIn(await person(session.userId)), session.headers)
      case "signed-out":
        return page(signedOut(signIn.href), session.headers)
      case "refused":
        return page(signedOut(signIn.href), new Headers())
    }
  }
}
