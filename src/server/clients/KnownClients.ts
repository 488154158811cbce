/** The server that a client is to be connected to: the name by which programs know it, and its MCP address. */
export interface ConnectedServer {
  readonly name: string
  readonly address: string
}

/** How a person adds a server to a client, by each way that the client has. */
export interface Setup {
  /** Where to click in the client, for what has to be done by hand. */
  readonly steps?: string
  /** Opens the client, which asks before it adds the server. */
  readonly link?: string
  /** What to copy, and where it goes: `a terminal`, or a file. */
  readonly copy?: { readonly text: string; readonly into: string }
  /** What the client asks next. */
  readonly next: string
}

export interface KnownClient {
  readonly id: KnownClientId
  readonly title: string
  readonly setup: (server: ConnectedServer) => Setup
}

export type KnownClientId =
  | "claude"
  | "claude-code"
  | "chatgpt"
  | "cursor"
  | "vscode"
  | "windsurf"
  | "codex"
  | "gemini-cli"
  | "goose"
  | "mcp-remote"

const terminal = "a terminal"
const json = (value: unknown): string => JSON.stringify(value)
const inQuery = (value: unknown): string => encodeURIComponent(json(value))

/** How each of these clients is connected, in the order in which pages show them. As of November 2026. */
export const knownClients: ReadonlyArray<KnownClient> = [
  {
    id: "claude",
    title: "Claude, on the web and Desktop",
    setup: () => ({
      steps: "Settings, Connectors, Add custom connector: paste the address.",
      next: "Press Connect beside the new connector, and sign in."
    })
  },
  {
    id: "claude-code",
    title: "Claude Code",
    setup: ({ name, address }) => ({
      copy: { text: `claude mcp add --transport http ${name} ${address}`, into: terminal },
      next: `Run claude mcp login ${name}, or /mcp inside Claude Code, and sign in.`
    })
  },
  {
    id: "chatgpt",
    title: "ChatGPT",
    setup: () => ({
      steps: "Add a custom MCP server (in developer mode, where ChatGPT asks for it): paste the address, choose OAuth.",
      next: "Sign in when you connect it."
    })
  },
  {
    id: "cursor",
    title: "Cursor",
    setup: ({ name, address: url }) => ({
      link: `cursor://anysphere.cursor-deeplink/mcp/install?name=${encodeURIComponent(name)}&config=${encodeURIComponent(btoa(json({ url })))}`,
      copy: { text: json({ mcpServers: { [name]: { url } } }), into: "~/.cursor/mcp.json" },
      next: "Sign in from Cursor’s settings, where the server asks for it."
    })
  },
  {
    id: "vscode",
    title: "VS Code",
    setup: ({ name, address: url }) => ({
      link: `vscode:mcp/install?${inQuery({ name, type: "http", url })}`,
      copy: { text: json({ servers: { [name]: { type: "http", url } } }), into: ".vscode/mcp.json" },
      next: "Start the server; VS Code asks you to sign in."
    })
  },
  {
    id: "windsurf",
    title: "Windsurf",
    setup: ({ name, address: serverUrl }) => ({
      copy: { text: json({ mcpServers: { [name]: { serverUrl } } }), into: "~/.codeium/windsurf/mcp_config.json" },
      next: "Refresh the list of MCP servers in Cascade, and sign in when asked."
    })
  },
  {
    id: "codex",
    title: "Codex",
    setup: ({ name, address }) => ({
      copy: { text: `codex mcp add ${name} --url ${address}`, into: terminal },
      next: `Sign in at once; later, codex mcp login ${name} asks again.`
    })
  },
  {
    id: "gemini-cli",
    title: "Gemini CLI",
    setup: ({ name, address }) => ({
      copy: { text: `gemini mcp add --transport http --scope user ${name} ${address}`, into: terminal },
      next: `Run /mcp auth ${name} inside Gemini CLI, and sign in.`
    })
  },
  {
    id: "goose",
    title: "Goose",
    setup: () => ({
      steps: "Run goose configure: Add Extension, Remote Extension (Streamable HTTP), and paste the address.",
      next: "Sign in when Goose first uses it."
    })
  },
  {
    id: "mcp-remote",
    title: "mcp-remote, for clients that run commands only, such as JetBrains",
    setup: ({ address }) => ({
      copy: { text: `npx -y mcp-remote ${address}`, into: "the client’s configuration, as the command of a server" },
      next: "Sign in when the client starts it."
    })
  }
]

/** What a client tries to find out who gives tokens for a server, in its order. */
export type Metadata =
  /** Of the resource, with the path of its address behind (RFC 9728, section 3.1). */
  | "resource"
  /** Of the resource, at the root. */
  | "resource-root"
  /** Of the authorization server (RFC 8414, section 3). */
  | "authorization-server"
  /** The same by OpenID Connect Discovery 1.0, section 4, only where the others are not found. */
  | "openid"

/** How a client behaves towards a server. What is not known of a client is absent. */
export interface ClientBehaviour {
  /** How it first knocks, without a token. */
  readonly first: "GET" | "HEAD" | "POST"
  /** The protocol version that it offers first. */
  readonly protocolVersion?: string
  /** Whether it can name an address as its identity (CIMD), and whether it can register (RFC 7591). */
  readonly clientMetadataDocument: boolean
  /** The address that it names then. */
  readonly document?: string
  readonly dynamicRegistration: boolean
  /** Where it waits for the code. Loopback addresses have the port that happens to be free. */
  readonly redirectUris?: (port: number) => readonly [string, ...Array<string>]
  readonly metadata?: ReadonlyArray<Metadata>
  /** Origins of its pages that may call from a browser, which needs CORS. Empty: none, it never sends `Origin`. */
  readonly origins?: ReadonlyArray<string>
  /** What else a server has to live with. */
  readonly habits?: ReadonlyArray<string>
}

const traced: ReadonlyArray<Metadata> = ["resource", "resource-root", "authorization-server"]

/** The behaviour of those clients that were looked at, in shipped builds, source or documentation. */
export const behaviours: Readonly<Partial<Record<KnownClientId, ClientBehaviour>>> = {
  claude: {
    first: "POST",
    clientMetadataDocument: true,
    dynamicRegistration: true,
    redirectUris: () => ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
    origins: ["https://claude.ai"],
    habits: [
      "calls from its cloud, and waits 10 seconds at most",
      "names an address as its identity only where clients without a secret are advertised (none)"
    ]
  },
  "claude-code": {
    first: "POST",
    protocolVersion: "2026-07-28",
    clientMetadataDocument: true,
    document: "https://claude.ai/oauth/claude-code-client-metadata",
    dynamicRegistration: true,
    redirectUris: (port) => [`http://localhost:${port}/callback`],
    metadata: traced,
    origins: [],
    habits: ["refuses an answer without iss where that is advertised", "refreshes five minutes early"]
  },
  chatgpt: {
    first: "POST",
    clientMetadataDocument: true,
    dynamicRegistration: true,
    origins: ["https://chatgpt.com"],
    habits: ["sends resource exactly as the metadata says it"]
  },
  cursor: {
    first: "POST",
    protocolVersion: "2025-06-18",
    clientMetadataDocument: false,
    dynamicRegistration: true,
    redirectUris: () => [
      "cursor://anysphere.cursor-mcp/oauth/callback",
      "https://www.cursor.com/agents/mcp/oauth/callback",
      "http://localhost:8787/callback"
    ],
    habits: ["registers three redirect addresses at once: refusing one refuses it"]
  },
  vscode: {
    first: "POST",
    protocolVersion: "2025-11-25",
    clientMetadataDocument: true,
    document: "https://vscode.dev/oauth/client-metadata.json",
    dynamicRegistration: true,
    redirectUris: () => ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
    habits: [
      "sends no MCP-Protocol-Version after initialize",
      "after a 403 asks for the scopes of the challenge and no others"
    ]
  },
  codex: {
    first: "GET",
    protocolVersion: "2025-06-18",
    clientMetadataDocument: true,
    dynamicRegistration: true,
    redirectUris: (port) => [`http://127.0.0.1:${port}/callback`],
    metadata: traced,
    origins: [],
    habits: ["refuses an answer without iss where that is advertised", "does not step up for a scope that it lacks"]
  },
  "gemini-cli": {
    first: "HEAD",
    protocolVersion: "2025-06-18",
    clientMetadataDocument: false,
    dynamicRegistration: true,
    redirectUris: (port) => [`http://localhost:${port}/oauth/callback`],
    metadata: traced,
    origins: [],
    habits: ["asks for every scope of the authorization server", "registers anew after a 401 or 403"]
  },
  goose: {
    first: "POST",
    clientMetadataDocument: true,
    dynamicRegistration: true,
    redirectUris: (port) => [`http://127.0.0.1:${port}/oauth_callback`],
    habits: ["may refresh several times at once"]
  },
  "mcp-remote": {
    first: "GET",
    clientMetadataDocument: false,
    dynamicRegistration: true,
    redirectUris: (port) => [`http://localhost:${port}/oauth/callback`],
    metadata: [...traced, "openid"],
    origins: [],
    habits: ["opens the authorize address once by itself before the browser does"]
  }
}

/**
 * Where a client looks for metadata of the server with this address, as far as it does not go by the challenge's
 * `resource_metadata`. The authorization server is the same origin.
 */
export const metadataAddress = (metadata: Metadata, address: string): string => {
  const { origin, pathname } = new URL(address)
  switch (metadata) {
    case "resource":
      return `${origin}/.well-known/oauth-protected-resource${pathname}`
    case "resource-root":
      return `${origin}/.well-known/oauth-protected-resource`
    case "authorization-server":
      return `${origin}/.well-known/oauth-authorization-server`
    case "openid":
      return `${origin}/.well-known/openid-configuration`
  }
}

/** What a client sends to register (RFC 7591, section 2), if it does and it is known where it waits for the code. */
export const registrationOf = (id: KnownClientId, port: number): Readonly<Record<string, unknown>> | undefined => {
  const { dynamicRegistration = false, redirectUris } = behaviours[id] ?? {}
  if (!dynamicRegistration || redirectUris === undefined) return undefined
  return {
    client_name: knownClients.find((client) => client.id === id)?.title ?? id,
    redirect_uris: redirectUris(port),
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: redirectUris(port).every((uri) => uri.startsWith("https:")) ? "web" : "native"
  }
}
