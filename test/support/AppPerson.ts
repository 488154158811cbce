import { consentForm, type Choice, leftFor } from "./Person.ts"
import type { Server } from "./RunningServer.ts"
import { type Page, WebBrowser } from "./WebBrowser.ts"

/**
 * Somebody who is signed in to the app, in a browser that posts what the app's page makes it post. As from another
 * site, the post carries no cookie.
 */
export class AppPerson {
  readonly #server: Server
  readonly #app: string
  readonly email: string
  readonly browser: WebBrowser
  readonly sessionId: string

  private constructor(server: Server, app: string, email: string, sessionId: string) {
    this.#server = server
    this.#app = app
    this.email = email
    this.browser = new WebBrowser(server.url)
    this.sessionId = sessionId
  }

  /** Signs in to the app. */
  static async in(server: Server, email: string): Promise<AppPerson> {
    const { id } = await server.admin((admin) => admin.createSession(email))
    return new AppPerson(server, server.app ?? "", email, id)
  }

  /** A session token as Clerk hands it to pages of this origin. */
  token(origin = this.#app): Promise<string> {
    return this.#server.admin((admin) => admin.mintSessionToken(this.sessionId, origin))
  }

  /** Consents, and gives the address of the app to which the server sends the browser. */
  async consent(address: string | URL, choice?: Choice): Promise<URL> {
    const page = await this.browser.open(address)
    const sent = await this.browser.send(new URL("/authorize", this.#server.url), consentForm(page, choice))
    return new URL(sent.headers.get("location") ?? "", this.#server.url)
  }

  /** Posts the form of a page at `origin` and follows no redirect. */
  post(fields: Readonly<Record<string, string>>, origin: string = this.#app): Promise<Page> {
    const headers = { origin, cookie: "" }
    return this.browser.send(new URL("/callback", this.#server.url), new URLSearchParams(fields), headers)
  }

  /** From the address that a client opens to the address at which the client waits. */
  async authorize(address: string | URL, choice?: Choice): Promise<URL> {
    const state = (await this.consent(address, choice)).searchParams.get("state") ?? ""
    const posted = await this.post({ state, session_token: await this.token() })
    return leftFor(await this.browser.open(posted.headers.get("location") ?? ""))
  }
}
