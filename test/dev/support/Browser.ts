/** The answer that ended a walk: a page, or a redirect that left the stand-in. */
export interface Visit {
  readonly url: URL
  readonly status: number
  readonly html: string
  readonly contentType: string
}

interface Cookie {
  readonly name: string
  readonly value: string
  readonly path: string
}

const parseCookie = (header: string): Cookie & { readonly gone: boolean } => {
  const [pair = "", ...attributes] = header.split(";").map((part) => part.trim())
  const separator = pair.indexOf("=")
  const attribute = (name: string) =>
    attributes.find((one) => one.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1)
  const expires = attribute("expires")
  return {
    name: pair.slice(0, separator),
    value: pair.slice(separator + 1),
    path: attribute("path") ?? "/",
    gone: pair.endsWith("=") || (expires !== undefined && new Date(expires).getTime() <= 0)
  }
}

/** A browser in little: a cookie jar that knows paths, redirects within one origin, and one form. */
export class Browser {
  readonly #origin: string
  #cookies: ReadonlyArray<Cookie> = []

  constructor(origin: string) {
    this.#origin = origin
  }

  get cookieNames(): ReadonlyArray<string> {
    return this.#cookies.map((cookie) => cookie.name)
  }

  /** Follows redirects until a page is shown or the address leaves the origin. */
  async visit(address: string | URL, form?: Readonly<Record<string, string>>): Promise<Visit> {
    let url = new URL(address)
    let body = form === undefined ? undefined : new URLSearchParams(form)
    for (let hops = 0; hops < 10; hops++) {
      if (url.origin !== this.#origin) return { url, status: 0, html: "", contentType: "" }
      const response = await fetch(url, {
        method: body === undefined ? "GET" : "POST",
        redirect: "manual",
        headers: { accept: "text/html", cookie: this.#cookieHeader(url) },
        ...(body === undefined ? {} : { body })
      })
      this.#store(response)
      const location = response.headers.get("location")
      const html = await response.text()
      if (location === null) {
        return { url, status: response.status, html, contentType: response.headers.get("content-type") ?? "" }
      }
      url = new URL(location, url)
      body = undefined
    }
    throw new Error("too many redirects")
  }

  #cookieHeader(url: URL): string {
    return this.#cookies
      .filter((cookie) => url.pathname.startsWith(cookie.path))
      .map((cookie) => `${cookie.name}=${cookie.value}`)
      .join("; ")
  }

  #store(response: Response): void {
    for (const header of response.headers.getSetCookie()) {
      const { gone, ...cookie } = parseCookie(header)
      const others = this.#cookies.filter((one) => one.name !== cookie.name || one.path !== cookie.path)
      this.#cookies = gone ? others : [...others, cookie]
    }
  }
}
