interface Cookie {
  readonly name: string
  readonly value: string
  readonly host: string
}

/** An answer that a person would look at, or an address that the walk does not enter (`status` 0). */
export interface Page {
  readonly url: URL
  readonly status: number
  readonly html: string
  readonly headers: Headers
}

/**
 * A browser without a screen: keeps cookies by host name, as browsers do whatever the port, names the page that a form
 * was on as `Origin`, follows redirects, and stops before the addresses of other hosts' applications.
 */
export class WebBrowser {
  #cookies: ReadonlyArray<Cookie> = []
  #origin = "null"
  readonly #origins: ReadonlySet<string>

  constructor(...origins: ReadonlyArray<string>) {
    this.#origins = new Set(origins)
  }

  get cookies(): ReadonlyArray<string> {
    return this.#cookies.map(({ name, value }) => `${name}=${value}`)
  }

  /** One request: gets a page or posts a form, keeps the cookies of the answer, and follows no redirect. */
  async send(
    address: string | URL,
    form?: URLSearchParams,
    headers: Readonly<Record<string, string>> = {}
  ): Promise<Page> {
    const url = new URL(address)
    const response = await fetch(url, {
      method: form === undefined ? "GET" : "POST",
      redirect: "manual",
      headers: {
        accept: "text/html",
        cookie: this.#for(url),
        ...(form !== undefined && { origin: this.#origin }),
        ...headers
      },
      ...(form !== undefined && { body: form })
    })
    this.#keep(url, response)
    if (!response.headers.has("location")) this.#origin = url.origin
    return { url, status: response.status, html: await response.text(), headers: response.headers }
  }

  /** Gets a page, or posts a form, and follows redirects as far as this browser may go. */
  async open(
    address: string | URL,
    form?: URLSearchParams,
    headers: Readonly<Record<string, string>> = {}
  ): Promise<Page> {
    let url = new URL(address)
    let body = form
    for (let hop = 0; hop < 12; hop++) {
      if (!this.#origins.has(url.origin)) return { url, status: 0, html: "", headers: new Headers() }
      const page = await this.send(url, body, headers)
      const location = page.headers.get("location")
      if (location === null) return page
      url = new URL(location, url)
      body = undefined
    }
    throw new Error("too many redirects")
  }

  #for(url: URL): string {
    return this.#cookies
      .filter(({ host }) => host === url.hostname)
      .map(({ name, value }) => `${name}=${value}`)
      .join("; ")
  }

  #keep(url: URL, response: Response): void {
    for (const header of response.headers.getSetCookie()) {
      const [pair = "", ...attributes] = header.split(";")
      const [name = "", ...value] = pair.split("=")
      const gone = attributes.some((attribute) => /^\s*(?:max-age=0|expires=.*1970)/iu.test(attribute))
      const others = this.#cookies.filter((cookie) => cookie.name !== name || cookie.host !== url.hostname)
      this.#cookies = gone ? others : [...others, { name, value: value.join("="), host: url.hostname }]
    }
  }
}
