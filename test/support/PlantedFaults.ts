import type { FaultId } from "../../dev/doctor/Faults.ts"
import type { Fault, Got, Sent } from "./FaultyProxy.ts"

const missing: Got = { status: 404, headers: { "content-type": "text/plain" }, body: "not found" }
const page: Got = { status: 200, headers: { "content-type": "text/html" }, body: "<h1>Welcome</h1>" }

const at = (sent: Sent, path: string): boolean => sent.path.split("?", 1)[0] === path

const instead = (answer: Got, path: string, method?: string): Fault => ({
  request: (sent) =>
    at(sent, path) && (method === undefined ? sent.method !== "OPTIONS" : sent.method === method) ? answer : sent
})

const json = (path: string, change: (body: any) => object): Fault => ({
  response: (got, sent) =>
    at(sent, path) && sent.method !== "OPTIONS" ? { ...got, body: JSON.stringify(change(JSON.parse(got.body))) } : got
})

const header = (name: string, change: (value: string, sent: Sent) => string | undefined): Fault => ({
  response: (got, sent) => {
    const value = got.headers[name]
    return value === undefined ? got : { ...got, headers: { ...got.headers, [name]: change(value, sent) } }
  }
})

const ofServer = "/.well-known/oauth-authorization-server"
const ofResource = "/.well-known/oauth-protected-resource"
const without = (list: ReadonlyArray<string>, one: string) => list.filter((value) => value !== one)

/** Changes the parameters of an authorization request. */
const authorize = (change: (parameters: URLSearchParams) => void): Fault => ({
  request: (sent) => {
    if (!at(sent, "/authorize") || sent.method !== "GET") return sent
    const url = new URL(sent.path, "http://any.invalid")
    change(url.searchParams)
    return { ...sent, path: `${url.pathname}${url.search}` }
  }
})

const s256 = (parameters: URLSearchParams) => {
  if (!parameters.has("code_challenge")) parameters.set("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
  parameters.set("code_challenge_method", "S256")
}

const refusal = (status: number, error: string): Got => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ error })
})

/** Faults that a proxy can have, each with all that doctor has to find of it, and nothing else. */
export const plantedFaults: ReadonlyArray<readonly [string, Fault, ...Array<FaultId>]> = [
  ["the metadata under /mcp is kept away", instead(missing, `${ofResource}/mcp`), "resource-metadata-missing"],
  ["the metadata at the root is kept away", instead(missing, ofResource), "resource-metadata-missing"],
  ["that of an organization is", instead(missing, `${ofResource}/mcp/any-organization`), "resource-metadata-missing"],
  ["the metadata is a page", instead(page, `${ofResource}/mcp`), "resource-metadata-missing"],
  [
    "the metadata is that of another address",
    json(`${ofResource}/mcp`, (body) => ({ ...body, resource: "https://other.example.com/mcp" })),
    "resource-metadata-wrong"
  ],
  [
    "tokens come from elsewhere",
    json(`${ofResource}/mcp`, (body) => ({ ...body, authorization_servers: ["https://other.example.com"] })),
    "resource-metadata-no-server"
  ],
  ["the server's metadata fails", instead({ ...missing, status: 500 }, ofServer), "server-metadata-missing"],
  [
    "the issuer is another",
    json(ofServer, (body) => ({ ...body, issuer: "https://other.example.com" })),
    "server-metadata-wrong"
  ],
  [
    "the token endpoint is elsewhere",
    json(ofServer, (body) => ({ ...body, token_endpoint: "https://other.example.com/token" })),
    "endpoints-elsewhere"
  ],
  ["OpenID configuration is a page", instead(page, "/.well-known/openid-configuration"), "metadata-confusing"],
  [
    "another server's metadata is under the path",
    instead(
      { ...page, headers: { "content-type": "application/json" }, body: '{"issuer":"https://x.example"}' },
      `${ofServer}/mcp`
    ),
    "metadata-confusing"
  ],
  [
    "S256 is not offered",
    json(ofServer, (body) => ({ ...body, code_challenge_methods_supported: ["plain"] })),
    "no-s256"
  ],
  [
    "registration is not offered",
    json(ofServer, (body) => ({ ...body, registration_endpoint: undefined })),
    "no-registration"
  ],
  [
    "documents are not offered",
    json(ofServer, (body) => ({ ...body, client_id_metadata_document_supported: false })),
    "no-cimd"
  ],
  [
    "clients without a secret are not offered",
    json(ofServer, (body) => ({
      ...body,
      token_endpoint_auth_methods_supported: without(body.token_endpoint_auth_methods_supported, "none")
    })),
    "no-public-clients"
  ],
  [
    "refreshing is not offered",
    json(ofServer, (body) => ({ ...body, grant_types_supported: ["authorization_code"] })),
    "no-refresh"
  ],
  [
    "iss is not promised",
    json(ofServer, (body) => ({ ...body, authorization_response_iss_parameter_supported: undefined })),
    "no-iss"
  ],
  [
    "the baseline scope is not offered",
    json(ofServer, (body) => ({ ...body, scopes_supported: ["openid"] })),
    "no-baseline-scope"
  ],
  [
    "GET is refused before the token is asked for",
    instead({ ...missing, status: 405 }, "/mcp", "GET"),
    "not-challenged"
  ],
  ["HEAD is not known", instead(missing, "/mcp", "HEAD"), "not-challenged"],
  ["/sse is kept away", instead(missing, "/sse"), "not-challenged"],
  ["the challenge is taken off", header("www-authenticate", () => undefined), "challenge-missing"],
  ["the challenge is for passwords", header("www-authenticate", () => 'Basic realm="mcp"'), "challenge-missing"],
  [
    "the challenge is shortened",
    header("www-authenticate", (value) => value.replace(/,?\s*resource_metadata="[^"]*"/u, "")),
    "challenge-without-metadata"
  ],
  [
    "the challenge names an inner address",
    header("www-authenticate", (value) =>
      value.replace(/resource_metadata="[^"]*"/u, 'resource_metadata="http://10.0.0.1/"')
    ),
    "challenge-wrong-metadata"
  ],
  [
    "the challenge lacks the scope",
    header("www-authenticate", (value) => value.replace(/,?\s*scope="[^"]*"/u, "")),
    "challenge-without-scope"
  ],
  [
    "a bad token is answered 403",
    {
      request: (sent) =>
        sent.path === "/mcp" && sent.headers["authorization"] !== undefined ? refusal(403, "no") : sent
    },
    "bad-token-taken"
  ],
  [
    "a bad token is taken",
    {
      request: (sent) => (sent.path === "/mcp" && sent.headers["authorization"] !== undefined ? refusal(200, "") : sent)
    },
    "bad-token-taken"
  ],
  ["preflights are refused", instead({ ...missing, status: 403 }, "/mcp", "OPTIONS"), "preflight-refused"],
  [
    "preflights allow too little",
    header("access-control-allow-headers", (_, sent) =>
      sent.path === "/mcp" ? "*" : "content-type, mcp-protocol-version"
    ),
    "preflight-refused"
  ],
  [
    "pages of Claude are refused",
    {
      request: (sent) =>
        sent.path === "/mcp" && sent.method === "POST" && sent.headers["origin"] === "https://claude.ai"
          ? refusal(403, "origin")
          : sent
    },
    "preflight-refused"
  ],
  ["the challenge is hidden from pages", header("access-control-expose-headers", () => undefined), "challenge-hidden"],
  [
    "Origin is taken off on the way",
    {
      request: (sent) =>
        sent.headers["origin"]?.endsWith(".invalid") === true
          ? { ...sent, headers: { ...sent.headers, origin: undefined } }
          : sent
    },
    "foreign-origin"
  ],
  ["nobody may register", instead(refusal(403, "access_denied"), "/register", "POST"), "registration-refused"],
  ["registration hits a limit", instead(refusal(429, "slow_down"), "/register", "POST"), "registration-limited"],
  [
    "redirects to apps are taken out",
    json("/register", (body) => ({
      ...body,
      redirect_uris: body.redirect_uris.filter((uri: string) => uri.startsWith("http"))
    })),
    "redirect-dropped"
  ],
  [
    "everybody is given a secret",
    json("/register", (body) => ({ ...body, token_endpoint_auth_method: "client_secret_basic" })),
    "registration-secret"
  ],
  [
    "consent is kept away from some",
    {
      request: (sent) => (at(sent, "/authorize") && sent.path.includes("vscode.dev") ? { ...page, status: 500 } : sent)
    },
    "consent-refused"
  ],
  [
    "redirects have to match to the port",
    { request: (sent) => (at(sent, "/authorize") && sent.path.includes("53683") ? { ...page, status: 400 } : sent) },
    "loopback-port"
  ],
  [
    "PKCE is not demanded",
    authorize((parameters) => {
      if (!parameters.has("code_challenge")) s256(parameters)
    }),
    "pkce-not-demanded"
  ],
  [
    "PKCE plain is taken",
    authorize((parameters) => {
      if (parameters.get("code_challenge_method") === "plain") s256(parameters)
    }),
    "plain-pkce"
  ],
  [
    "headers of pages are taken off",
    {
      response: (got, sent) =>
        at(sent, "/authorize")
          ? { ...got, headers: { ...got.headers, "x-frame-options": undefined, "content-security-policy": undefined } }
          : got
    },
    "framable"
  ],
  [
    "the clock is ten minutes behind",
    {
      response: (got) => ({ ...got, headers: { ...got.headers, date: new Date(Date.now() - 600_000).toUTCString() } })
    },
    "clock"
  ],
  ["a login page stands before everything", { request: () => page }, "another-server"],
  [
    "another key is told",
    {
      request: (sent) =>
        sent.path === "/health" && sent.headers["authorization"] !== undefined
          ? { ...sent, headers: { ...sent.headers, authorization: "Bearer other" } }
          : sent
    },
    "key-refused"
  ],
  [
    "an older server answers",
    { response: (got, sent) => (sent.path === "/health" ? { ...got, body: '{"status":"ok"}' } : got) },
    "no-report"
  ]
]
