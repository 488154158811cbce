/** How much a fault costs: somebody cannot connect or the server is not safe, something does not work, or good to know. */
export type Severity = "error" | "warning" | "note"

interface Fault {
  readonly severity: Severity
  /** What was found, as docs/troubleshooting.md has it. */
  readonly what: string
  /** What it means, and for whom. */
  readonly meaning: string
  readonly remedy: string
}

const proxy = "Look at what stands between: a proxy, a firewall rule or a cache that changes answers."
const publicUrl = "Set PUBLIC_URL to exactly the address that people connect to, without a path, and deploy."

const outside = {
  "no-answer": {
    severity: "error",
    what: "No server answers at this address",
    meaning: "No client can connect.",
    remedy: "Check the address and its DNS record, and that the Worker is deployed there (npm run deploy)."
  },
  tls: {
    severity: "error",
    what: "The server cannot be reached over TLS",
    meaning: "Clients and browsers refuse the connection.",
    remedy:
      "Let Cloudflare issue the certificate of the domain (SSL/TLS, Edge certificates), and wait until it is active."
  },
  "plain-http": {
    severity: "error",
    what: "The address is http, and not on this machine",
    meaning: "Tokens would travel in the clear: clients refuse the address, and so does the server as PUBLIC_URL.",
    remedy: "Use the https address."
  },
  "http-served": {
    severity: "warning",
    what: "http is served without leading to https",
    meaning: "Whoever types the address without https sends what they send in the clear.",
    remedy: "Switch on Always Use HTTPS for the domain at Cloudflare."
  },
  "no-hsts": {
    severity: "warning",
    what: "Browsers are not told to stay with https",
    meaning: "The header Strict-Transport-Security, which the server sends, does not arrive.",
    remedy: proxy
  },
  clock: {
    severity: "error",
    what: "The clocks of the server and of this machine differ",
    meaning: "Tokens and webhooks look too old or too new: Clerk's webhooks are refused beyond five minutes.",
    remedy: "Set the clock of this machine by NTP. If it is right, look at what rewrites the header Date on the way."
  },
  "not-set-up": {
    severity: "error",
    what: "This server is not set up yet",
    meaning: "It serves nobody until the settings that it names are set.",
    remedy:
      "Set them, variables in wrangler.jsonc and secrets with wrangler secret put, or run npm run setup, and deploy."
  },
  "another-server": {
    severity: "error",
    what: "Something else answers at this address",
    meaning: "What answers is not this server, or stands before it: no client can connect.",
    remedy:
      "Check the route or custom domain of the Worker, and that no login page (such as Cloudflare Access) stands before it."
  },
  "resource-metadata-missing": {
    severity: "error",
    what: "The metadata of the resource is missing",
    meaning: "Clients look here for who gives tokens (RFC 9728), and cannot sign in.",
    remedy: `No rule may keep /.well-known/ from the Worker. ${proxy}`
  },
  "resource-metadata-wrong": {
    severity: "error",
    what: "The metadata names another address than this one",
    meaning:
      "Clients refuse metadata of another address, or get tokens that are refused here with 401, again and again.",
    remedy: publicUrl
  },
  "resource-metadata-no-server": {
    severity: "error",
    what: "The metadata of the resource names no authorization server of this address",
    meaning: "Clients do not know where to sign in, or ask elsewhere.",
    remedy: publicUrl
  },
  "server-metadata-missing": {
    severity: "error",
    what: "The metadata of the authorization server is missing",
    meaning: "Clients find neither where to register nor where to send people (RFC 8414).",
    remedy: `No rule may keep /.well-known/ from the Worker. ${proxy}`
  },
  "server-metadata-wrong": {
    severity: "error",
    what: "The authorization server calls itself by another address",
    meaning: "Clients refuse metadata whose issuer differs from the address (RFC 8414, section 3.3).",
    remedy: publicUrl
  },
  "endpoints-elsewhere": {
    severity: "error",
    what: "An endpoint of the authorization server is at another address",
    meaning: "Clients would send codes and tokens there, or nowhere.",
    remedy: publicUrl
  },
  "metadata-confusing": {
    severity: "error",
    what: "An address where clients look for metadata answers with something else",
    meaning: "Clients that try it take a page or an error for an answer, where 404 would send them on.",
    remedy: `The Worker answers 404 there. ${proxy}`
  },
  "no-s256": {
    severity: "error",
    what: "The metadata does not offer PKCE with S256",
    meaning: "Clients have to refuse an authorization server that does not say it (MCP, authorization).",
    remedy: proxy
  },
  "no-registration": {
    severity: "error",
    what: "The metadata offers no registration",
    meaning: "Clients that can only register cannot connect.",
    remedy: "CLIENT_REGISTRATION is published: leave it out to let clients register, or tell these people."
  },
  "no-cimd": {
    severity: "warning",
    what: "The metadata does not offer client metadata documents",
    meaning: "Clients that name an address as their identity register instead, and their names are not verified.",
    remedy: "Keep the compatibility flag global_fetch_strictly_public in wrangler.jsonc, and deploy."
  },
  "no-public-clients": {
    severity: "error",
    what: "The metadata does not offer clients without a secret (none)",
    meaning:
      "Desktop and command-line clients have no secret; Claude also needs it to name an address as its identity.",
    remedy: proxy
  },
  "no-refresh": {
    severity: "error",
    what: "The metadata does not offer refresh tokens",
    meaning: "People have to sign in anew each time that an access token expires.",
    remedy: proxy
  },
  "no-iss": {
    severity: "warning",
    what: "The metadata does not promise iss",
    meaning:
      "Clients cannot tell answers of two servers apart (RFC 9207), and ChatGPT uses an address for each server.",
    remedy: proxy
  },
  "no-baseline-scope": {
    severity: "error",
    what: "The metadata does not offer the scope mcp:tools",
    meaning: "Clients that ask for what is offered get a token that every call refuses.",
    remedy: proxy
  },
  "not-challenged": {
    severity: "error",
    what: "A request without a token is not challenged",
    meaning: "Clients begin to sign in when they are answered 401; any other status is an error for them.",
    remedy: proxy
  },
  "challenge-missing": {
    severity: "error",
    what: "A 401 comes without a challenge",
    meaning: "Without WWW-Authenticate: Bearer clients take the 401 for an error and do not sign in.",
    remedy: `Some proxies take the header off. ${proxy}`
  },
  "challenge-without-metadata": {
    severity: "error",
    what: "The challenge does not say where the metadata is",
    meaning: "Clients that go by resource_metadata do not find where to sign in (RFC 9728, section 5.1).",
    remedy: proxy
  },
  "challenge-wrong-metadata": {
    severity: "error",
    what: "The challenge names metadata of another address",
    meaning: "Clients look for who gives tokens at an address that is not this server's.",
    remedy: publicUrl
  },
  "challenge-without-scope": {
    severity: "warning",
    what: "The challenge names no scope",
    meaning: "Clients ask for every scope that there is, or for none.",
    remedy: proxy
  },
  "bad-token-taken": {
    severity: "error",
    what: "A token that nobody was given is not refused with 401",
    meaning: "Clients whose token expired do not refresh it or sign in anew; at 200 the server is open to everybody.",
    remedy: proxy
  },
  "preflight-refused": {
    severity: "error",
    what: "Pages of hosted clients may not call",
    meaning: "Clients in a browser cannot connect: the preflight of CORS is refused or lacks a header.",
    remedy: `The Worker answers preflights itself. ${proxy}`
  },
  "challenge-hidden": {
    severity: "error",
    what: "Pages of hosted clients cannot read the challenge",
    meaning:
      "Without Access-Control-Expose-Headers: WWW-Authenticate a client in a browser sees a 401 and nothing else.",
    remedy: proxy
  },
  "foreign-origin": {
    severity: "error",
    what: "A page of anybody may call as a client",
    meaning: "A foreign Origin has to be answered 403, against DNS rebinding (MCP, Streamable HTTP).",
    remedy: `Take wildcards out of ALLOWED_ORIGINS. ${proxy}`
  },
  "registration-refused": {
    severity: "error",
    what: "A client cannot register",
    meaning: "It cannot connect, unless it can name an address as its identity.",
    remedy: "See the reason. CLIENT_REGISTRATION, CLIENT_HOSTS and PRIVATE_USE_REDIRECTS say which clients may."
  },
  "registration-limited": {
    severity: "note",
    what: "Registrations are limited right now",
    meaning: "Too many came from this address in a minute: what clients meet after it was not looked at.",
    remedy: "Run doctor again in a minute. RATE_LIMIT_REGISTER sets how many."
  },
  "redirect-dropped": {
    severity: "warning",
    what: "Not every redirect address of a client was registered",
    meaning: "The client cannot sign in by the way that is missing.",
    remedy: "PRIVATE_USE_REDIRECTS refuse takes out those with an app's own scheme, such as cursor://."
  },
  "registration-secret": {
    severity: "error",
    what: "A client that has no secret was registered with one",
    meaning: "It does not send what the token endpoint will ask of it, and cannot get tokens.",
    remedy: proxy
  },
  "consent-refused": {
    severity: "error",
    what: "A client that registered gets no consent page",
    meaning: "Its people see an error where they should be asked.",
    remedy: "See what the page says, and its reference in the log (npx wrangler tail)."
  },
  "loopback-port": {
    severity: "error",
    what: "A redirect to another port of this machine is refused",
    meaning:
      "Command-line clients wait at a port that happens to be free (RFC 8252, section 7.3), each time another one.",
    remedy: proxy
  },
  "pkce-not-demanded": {
    severity: "error",
    what: "A sign-in without PKCE is not refused",
    meaning: "A stolen code could be redeemed by whoever stole it.",
    remedy: proxy
  },
  "plain-pkce": {
    severity: "error",
    what: "A sign-in with PKCE plain is not refused",
    meaning: "A stolen request would be enough to redeem its code.",
    remedy: proxy
  },
  framable: {
    severity: "error",
    what: "The consent page may be framed by other pages",
    meaning:
      "A page could have people click Allow without their knowing: X-Frame-Options or frame-ancestors is missing.",
    remedy: proxy
  },
  "document-refused": {
    severity: "warning",
    what: "A client's metadata document is not taken",
    meaning: "The client cannot sign in by the address that is its identity.",
    remedy:
      "Keep the compatibility flag global_fetch_strictly_public; CLIENT_HOSTS has to list the host, where it is set."
  }
} as const satisfies Readonly<Record<string, Fault>>

const inside = {
  "no-key": {
    severity: "note",
    what: "This machine has no key of that server",
    meaning: "Clerk, storage and settings were not looked at from inside.",
    remedy: "Set STATE_SIGNING_KEYS in the environment or in .dev.vars to what the server has, and run doctor again."
  },
  "key-refused": {
    severity: "error",
    what: "The server does not take this machine's key for its own",
    meaning: "Clerk, storage and settings were not looked at from inside: the key, the address or a clock differs.",
    remedy: "Take STATE_SIGNING_KEYS of this very environment, and the address as its PUBLIC_URL says."
  },
  "no-report": {
    severity: "warning",
    what: "The server gives no report of its health",
    meaning: "Clerk, storage and settings were not looked at from inside.",
    remedy: "Deploy this version of the library; a server of an older one has no report."
  },
  "clerk-unreachable": {
    severity: "error",
    what: "Clerk does not answer the server",
    meaning: "Nobody can sign in, and calls are refused once what is known of people is six minutes old.",
    remedy: "Look at Clerk's status page. With a CLERK_API_URL set, take it out: it is for the stand-in."
  },
  "clerk-key-refused": {
    severity: "error",
    what: "Clerk refuses the secret key",
    meaning: "Nobody can sign in or call: the server cannot ask Clerk about anybody.",
    remedy: "Copy the secret key of the instance from Clerk's dashboard, API keys, and put it as CLERK_SECRET_KEY."
  },
  "clerk-unexpected": {
    severity: "error",
    what: "Clerk answers the server in an unexpected way",
    meaning: "People may not be able to sign in or to call.",
    remedy: "See the code, and the line with it in the log (npx wrangler tail)."
  },
  "frontend-api": {
    severity: "error",
    what: "The Frontend API of Clerk does not answer the server",
    meaning: "Nobody can sign in: the keys of Clerk's tokens cannot be read.",
    remedy:
      "Copy the Frontend API address from Clerk's dashboard, API keys, into CLERK_FRONTEND_API; check its DNS record."
  },
  "other-instance": {
    severity: "error",
    what: "The secret key and the Frontend API are of two Clerk instances",
    meaning: "Every sign-in fails at its end: Clerk's answer is signed by another instance.",
    remedy:
      "Take CLERK_FRONTEND_API and CLERK_SECRET_KEY of one instance: development (sk_test_) or production (sk_live_)."
  },
  "no-application": {
    severity: "error",
    what: "Clerk has no OAuth application with this client id",
    meaning: "Nobody can sign in: Clerk shows an error page after consent.",
    remedy: "Copy the client id of the OAuth application of this instance into CLERK_CLIENT_ID (npm run setup does it)."
  },
  "no-redirect": {
    severity: "error",
    what: "Clerk's OAuth application does not know this server's callback",
    meaning: "Nobody can sign in: Clerk refuses to send people back here.",
    remedy:
      "Add PUBLIC_URL followed by /callback to the redirect URIs of the OAuth application (npm run setup does it)."
  },
  "no-openid": {
    severity: "error",
    what: "Clerk's OAuth application lacks the scope openid",
    meaning: "Every sign-in fails at its end: Clerk gives no id_token.",
    remedy: "Tick openid in the OAuth application in Clerk's dashboard (npm run setup does it)."
  },
  "client-secret-refused": {
    severity: "error",
    what: "Clerk refuses the client secret of the OAuth application",
    meaning: "Every sign-in fails at its end.",
    remedy: "Make a new client secret in Clerk's dashboard, OAuth applications, and put it as CLERK_CLIENT_SECRET."
  },
  "organizations-off": {
    severity: "error",
    what: "Organizations are off in Clerk, and this server requires one",
    meaning: "ORGANIZATIONS is required: nobody gets in.",
    remedy: "Switch Organizations on in Clerk's dashboard, or set ORGANIZATIONS to optional or off."
  },
  "webhooks-not-set": {
    severity: "warning",
    what: "Webhooks of Clerk are not received",
    meaning: "A ban or a changed role counts after up to a minute instead of seconds; idle streams stay open.",
    remedy: "Add the endpoint /webhooks/clerk in Clerk's dashboard, and put its signing secret as CLERK_WEBHOOK_SECRET."
  },
  "no-webhook-lately": {
    severity: "note",
    what: "No webhook of Clerk came lately",
    meaning: "In a quiet instance that is as it should be; otherwise changes count after up to a minute.",
    remedy: "Look at the deliveries in Clerk's dashboard, Webhooks: 401 is the secret of another endpoint."
  },
  "development-instance": {
    severity: "note",
    what: "A public server runs on a development instance of Clerk",
    meaning: "It is limited to 100 users and 100 requests in 10 seconds, and its sign-in pages say so.",
    remedy: "Use a production instance of Clerk for people who are not testing."
  },
  kv: {
    severity: "error",
    what: "The KV namespace does not keep what is written",
    meaning: "Clients cannot register and people cannot sign in; those who are connected go on.",
    remedy: "Check the binding OAUTH_KV, the daily write limit of the free plan, and Cloudflare's status page."
  },
  object: {
    severity: "error",
    what: "The objects of users do not answer",
    meaning: "Nobody can connect or call: grants and tokens are in there.",
    remedy: "Check the binding ACCOUNT_AGENT and its migrations in wrangler.jsonc, and Cloudflare's status page."
  }
} as const satisfies Readonly<Record<string, Fault>>

/** Everything that doctor can find. */
export const faults: typeof outside & typeof inside = { ...outside, ...inside }
export type FaultId = keyof typeof faults

/** Words of the server that is examined, for a terminal: without control characters, on one line, and not without end. */
export const plain = (words: string): string => words.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").slice(0, 500)

/** A fault that was found. `at` says where, each time, or what the server said; `clients` whom it concerns in particular. */
export interface Finding extends Fault {
  readonly id: FaultId
  readonly at: ReadonlyArray<string>
  readonly clients: ReadonlyArray<string>
}

export const finding = (id: FaultId, at: string, clients: ReadonlyArray<string> = []): Finding => ({
  id,
  ...faults[id],
  at: [plain(at)],
  clients
})

/** The findings with one for each fault, in the order in which they were found first. */
export const merged = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> => {
  const each = new Map<FaultId, Finding>()
  for (const found of findings) {
    const { at = [], clients = [] } = each.get(found.id) ?? {}
    each.set(found.id, {
      ...found,
      at: [...new Set([...at, ...found.at])],
      clients: [...new Set([...clients, ...found.clients])]
    })
  }
  return [...each.values()]
}
