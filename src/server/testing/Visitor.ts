import * as Base64Url from "effect/encoding/Base64Url"

export type Handler = (request: Request) => Promise<Response>

/** Where the fictitious MCP client is called back. */
export const redirectUri = "https://client.example/callback"

const s256 = async (verifier: string) => {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))
  return Base64Url.encode(new Uint8Array(hash))
}

const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-section-4.1"

/** The parameters of an authorization request that is in order. */
export const authorizationRequest = async (clientId: string, scope = "mcp:tools") => ({
  response_type: "code",
  client_id: clientId,
  redirect_uri: redirectUri,
  scope,
  state: "the-state-of-the-client",
  code_challenge: await s256(verifier),
  code_challenge_method: "S256",
  resource: "https://mcp.example.com/mcp"
})

/**
 * A person with a browser and an MCP client, in front of the application's handler; no socket in between. The browser
 * keeps cookies and goes nowhere by itself.
 */
export class Visitor {
  readonly #handler: Handler
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(handler: Handler, origin = "https://mcp.example.com") {
    this.#handler = handler
    this.#origin = origin
  }

  get cookies(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ")
  }

  /** One request of the browser. A redirect is answered, not followed. */
  async get(path: string | URL, parameters: Readonly<Record<string, string>> = {}): Promise<Response> {
    const url = new URL(path, this.#origin)
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    return this.#send(new Request(url, { headers: { cookie: this.cookies } }))
  }

  async post(path: string, form: URLSearchParams, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const sent = { cookie: this.cookies, origin: this.#origin, ...headers }
    return this.#send(new Request(new URL(path, this.#origin), { method: "POST", headers: sent, body: form }))
  }

  /**
   * A page of another site makes the browser post a form. Cookies stay at home, as theirs are all `SameSite=Lax`.
   * Without an `origin` the browser does not say whose page it was.
   */
  async handOver(form: Readonly<Record<string, string>>, origin: string | undefined): Promise<Response> {
    const headers = origin === undefined ? {} : { origin }
    const body = new URLSearchParams(form)
    return this.#send(new Request(new URL("/callback", this.#origin), { method: "POST", headers, body }))
  }

  /** Registers an MCP client (RFC 7591) and returns its id. */
  async register(redirect = redirectUri, name?: string): Promise<string> {
    return String((await jsonOf(await this.registration(redirect, name)))["client_id"])
  }

  /** What `/register` answers. */
  registration(redirect = redirectUri, name = "Test client"): Promise<Response> {
    return this.#send(
      new Request(new URL("/register", this.#origin), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          client_name: name,
          redirect_uris: [redirect],
          token_endpoint_auth_method: "none"
        })
      })
    )
  }

  /** Answers the consent page in the response, and returns where the browser is sent next. */
  async decide(page: Response, decision: "approve" | "deny", scopes: ReadonlyArray<string> = []): Promise<URL> {
    const form = formOf(await page.text())
    form.set("decision", decision)
    for (const scope of scopes) form.append("scope", scope)
    return locationOf(await this.post("/authorize", form))
  }

  /**
   * From the registration of a client to the client's code: consent given, signed in as `userId`, and, where there are
   * several, with the organization that is named, or the one that the page proposes.
   */
  async authorize(clientId: string, userId: string, scope?: string, organization?: string): Promise<URL> {
    const consent = await this.get("/authorize", await authorizationRequest(clientId, scope))
    const signIn = await this.decide(consent, "approve")
    const state = signIn.searchParams.get("state") ?? ""
    const back = await this.get("/callback", { state, code: userId })
    return locationOf(back.status === 200 ? await this.choose(back, organization) : back)
  }

  /** Answers the page on which a member of several organizations chooses one. */
  async choose(page: Response, organization?: string, decision = "continue"): Promise<Response> {
    const form = formOf(await page.text())
    form.set("decision", decision)
    if (organization !== undefined) form.set("organization", organization)
    return this.post("/organization", form)
  }

  /** What `/token` answers. */
  async token(parameters: Readonly<Record<string, string>>): Promise<Response> {
    const headers = { "content-type": "application/x-www-form-urlencoded" }
    const body = new URLSearchParams(parameters)
    return this.#send(new Request(new URL("/token", this.#origin), { method: "POST", headers, body }))
  }

  redeem(clientId: string, code: string): Promise<Response> {
    return this.token({
      grant_type: "authorization_code",
      client_id: clientId,
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier
    })
  }

  /** The whole way to the tokens of a fresh client. */
  async signIn(userId: string, scope?: string, organization?: string): Promise<Tokens & { readonly clientId: string }> {
    const clientId = await this.register()
    const back = await this.authorize(clientId, userId, scope, organization)
    const answer = await this.redeem(clientId, back.searchParams.get("code") ?? "")
    const tokens: Tokens = await answer.json()
    return { ...tokens, clientId }
  }

  async #send(request: Request): Promise<Response> {
    const response = await this.#handler(request)
    for (const header of response.headers.getSetCookie()) {
      const [pair = "", ...attributes] = header.split(";")
      const separator = pair.indexOf("=")
      const gone = attributes.some((attribute) => /^\s*max-age=0\s*$/iu.test(attribute))
      if (gone) this.#cookies.delete(pair.slice(0, separator))
      else this.#cookies.set(pair.slice(0, separator), pair.slice(separator + 1))
    }
    return response
  }
}

export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly scope: string
}

/** Where a redirect leads. A response that redirects nowhere is a failed test. */
export const locationOf = (response: Response): URL => {
  const location = response.headers.get("location")
  if (location === null) throw new Error(`no redirect, but status ${response.status}`)
  return new URL(location)
}

/** The JSON object that a response carries. */
export const jsonOf = (response: Response): Promise<Readonly<Record<string, unknown>>> => response.json()

/** The fields of the first form of a page, as they are sent when a person presses nothing but the button. */
export const formOf = (html: string): URLSearchParams => {
  const form = new URLSearchParams()
  for (const [tag] of html.matchAll(/<input\b[^>]*>/gu)) {
    const attribute = (name: string) => new RegExp(`\\b${name}="([^"]*)"`, "u").exec(tag)?.[1]
    const name = attribute("name")
    if (name === undefined || / disabled/u.test(tag)) continue
    if (/^(?:checkbox|radio)$/u.test(attribute("type") ?? "") && !/ checked/u.test(tag)) continue
    form.append(name, attribute("value") ?? "")
  }
  return form
}
