import { escapeHtml, htmlPage } from "../src/Page.ts"
import { sessionReader, signInAddress } from "../src/Session.ts"
import type { Settings } from "../src/Settings.ts"
import { type Person, userRoutes } from "../src/Users.ts"

const title = "Example application"

const signedIn = ({ firstName, lastName, email, role }: Person): string => {
  const name = [firstName, lastName].filter((part) => part !== null).join(" ")
  const [who, address] = [escapeHtml(name), escapeHtml(email ?? "no e-mail address")]
  return `<p>You are signed in as <bdi>${who}</bdi> (<bdi>${address}</bdi>), ${escapeHtml(role ?? "without a role")}.</p>
<form method="post" action="/sign-out"><button type="submit">Sign out</button></form>`
}

const signedOut = (signInUrl: string): string => `<p>You are not signed in.</p>
<a href="${escapeHtml(signInUrl)}">Sign in</a>`

const page = (body: string, cookies: Headers): Response =>
  htmlPage(title, `<main>\n<h1>${title}</h1>\n${body}\n</main>`, cookies)

/** `GET /`: the person who is signed in, or where to sign in. For examples that have no components of their own. */
export const home = (settings: Settings): ((request: Request) => Promise<Response>) => {
  const sessionOf = sessionReader(settings)
  const { person } = userRoutes(settings)
  const signInUrl = signInAddress(settings, `${settings.appUrl}/`)

  return async (request) => {
    const session = await sessionOf(request)
    switch (session.kind) {
      case "redirect":
        return session.response
      case "signed-in":
        return page(signedIn(await person(session.userId)), session.headers)
      case "signed-out":
        return page(signedOut(signInUrl), session.headers)
      case "refused":
        return page(signedOut(signInUrl), new Headers())
    }
  }
}
