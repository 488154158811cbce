import { type Page, WebBrowser } from "./WebBrowser.ts"
import { formOf } from "../../src/server/testing/Visitor.ts"

/** What a person does on the consent page. Without a word about it, they leave the boxes as they are and allow. */
export interface Choice {
  readonly decision?: "approve" | "deny"
  /** The scopes that are ticked in the end, beside the one that cannot be unticked. */
  readonly scopes?: ReadonlyArray<string>
  readonly remember?: boolean
  /** Where there are several: the organization to choose, by its id, or `personal`. The proposed one otherwise. */
  readonly organization?: string
}

/** The origins that a sign-in passes through. */
export interface Places {
  readonly url: string
  readonly clerk: { readonly url: string }
}

const unexpected = ({ url, status, html }: Page, expected: string): Error => {
  const body = html.replace(/<(head|title)[\s\S]*<\/\1>|<[^>]*>/gu, " ").replace(/\s+/gu, " ")
  return new Error(`expected ${expected}, got ${url.origin}${url.pathname} with ${status}: ${body}`)
}

/** Where the browser was sent in the end, if that is no page of the server or of the sign-in. */
export const leftFor = (page: Page): URL => {
  if (page.status !== 0) throw unexpected(page, "a redirect to the client")
  return page.url
}

/** The consent form as a person sends it. */
export const consentForm = (page: Page, { decision = "approve", scopes, remember = false }: Choice = {}) => {
  const form = formOf(page.html)
  if (!form.has("handle")) throw unexpected(page, "the consent page")
  if (scopes !== undefined) {
    form.delete("scope")
    for (const scope of scopes) form.append("scope", scope)
  }
  if (remember) form.set("remember", "yes")
  form.set("decision", decision)
  return form
}

/** Somebody with an account and a browser. */
export class Person {
  readonly email: string
  readonly browser: WebBrowser
  readonly #places: Places

  constructor(places: Places, email: string, browser = new WebBrowser(places.url, places.clerk.url)) {
    this.email = email
    this.browser = browser
    this.#places = places
  }

  /** Sends the consent form; the next page is the sign-in, or where the client waits. */
  async decide(page: Page, choice?: Choice): Promise<Page> {
    return this.browser.open(new URL("/authorize", this.#places.url), consentForm(page, choice))
  }

  /** Fills in the sign-in page. */
  async signIn(page: Page, fields: Readonly<Record<string, string>> = { email: this.email }): Promise<Page> {
    if (page.url.origin !== this.#places.clerk.url) throw unexpected(page, "the sign-in page")
    return this.browser.open(page.url, new URLSearchParams(fields))
  }

  /** Answers the page on which a member of several organizations chooses one. */
  async choose(page: Page, { organization }: Choice = {}): Promise<Page> {
    const form = formOf(page.html)
    if (!form.has("organization")) throw unexpected(page, "the choice of an organization")
    if (organization !== undefined) form.set("organization", organization)
    form.set("decision", "continue")
    return this.browser.open(new URL("/organization", this.#places.url), form)
  }

  /** From the address that a client opens, through consent and sign-in, to the address at which the client waits. */
  async authorize(address: string | URL, choice?: Choice): Promise<URL> {
    let page = await this.browser.open(address)
    if (page.url.origin === this.#places.url && page.status === 200) page = await this.decide(page, choice)
    if (page.url.origin === this.#places.clerk.url && page.status === 200) page = await this.signIn(page)
    if (page.url.origin === this.#places.url && page.status === 200) page = await this.choose(page, choice)
    return leftFor(page)
  }

  /** Goes as far as the sign-in page and gives the address of the redirect to it, with the `state` of the server. */
  async untilSignIn(address: string | URL, choice?: Choice): Promise<{ readonly upstream: URL; readonly page: Page }> {
    const consent = await this.browser.open(address)
    const sent = await this.browser.send(new URL("/authorize", this.#places.url), consentForm(consent, choice))
    const upstream = new URL(sent.headers.get("location") ?? "")
    return { upstream, page: await this.browser.open(upstream) }
  }

  /** Signs in and stops with the address that brings the browser back to the server, not opened yet. */
  async untilCallback(address: string | URL, choice?: Choice): Promise<URL> {
    const { page } = await this.untilSignIn(address, choice)
    const callback = new URL("/callback", this.#places.url)
    let next = await this.browser.send(page.url, new URLSearchParams({ email: this.email }))
    for (let hop = 0; hop < 6; hop++) {
      const location = new URL(next.headers.get("location") ?? "", next.url)
      if (location.origin === callback.origin && location.pathname === callback.pathname) return location
      next = await this.browser.send(location)
    }
    throw new Error("the sign-in did not lead back")
  }
}
