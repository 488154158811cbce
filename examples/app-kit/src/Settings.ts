/** What the kit has to know. Made by {@link readSettings}; addresses have no slash at their end. */
export interface Settings {
  /** Where session tokens are posted, so never taken from a request. */
  readonly mcpServerUrl: string
  /** This application. Its origin is the `azp` of its session tokens, the whole is the `aud` of the template. */
  readonly appUrl: string
  readonly secretKey: string
  readonly publishableKey: string
  /** Clerk's Frontend API, if it is not at the address that the publishable key names. */
  readonly frontendApi: string | undefined
  /** Who may have issued a token. */
  readonly issuers: ReadonlyArray<string>
  readonly signInUrl: string
  /** The Backend API, if it is not Clerk's own. */
  readonly apiUrl: string | undefined
}

const isLoopback = ({ hostname }: URL): boolean => ["localhost", "127.0.0.1", "[::1]"].includes(hostname)

/** An http address to begin others with: encrypted unless it stays on this machine, without query or fragment. */
const address = (text: string, base?: string): string | undefined => {
  const url = URL.parse(text, base)
  if (url === null || url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "")
    return undefined
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url))) return undefined
  return url.href.replace(/\/+$/, "")
}

/** A publishable key is the host of the Frontend API in base64, ended by a `$`. */
const frontendApiOf = (publishableKey: string): string | undefined => {
  const encoded = /^pk_(?:test|live)_([A-Za-z0-9+/]+=*)$/.exec(publishableKey)?.[1]
  try {
    const host = /^([^$/]+\.[^$/]+)\$$/.exec(atob(encoded ?? ""))?.[1]
    return host === undefined ? undefined : address(`https://${host}`)
  } catch {
    return undefined
  }
}

/** Settings from the environment. Throws one error that names everything that is missing or malformed. */
export const readSettings = (env: Readonly<Record<string, string | undefined>>): Settings => {
  const problems: Array<string> = []

  const read = (name: string, shape: string, parse: (text: string) => string | undefined, required = true) => {
    const text = env[name]?.trim() ?? ""
    const value = text === "" ? undefined : parse(text)
    if (text === "" && required) problems.push(`${name} is missing: ${shape}`)
    if (text !== "" && value === undefined) problems.push(`${name} has to be ${shape}`)
    return value ?? ""
  }
  const anAddress = "an https address without query (http on this machine only)"

  const mcpServerUrl = read("MCP_SERVER_URL", anAddress, (text) => address(text))
  const appUrl = read("APP_URL", anAddress, (text) => address(text))
  const signInUrl = read("CLERK_SIGN_IN_URL", "the address of your sign-in page, or its path", (text) =>
    address(text, appUrl === "" ? undefined : appUrl)
  )
  const secretKey = read("CLERK_SECRET_KEY", "Clerk's secret key, sk_...", (text) =>
    /^sk_(?:test|live)_\S+$/.test(text) ? text : undefined
  )
  const publishableKey = read("CLERK_PUBLISHABLE_KEY", "Clerk's publishable key, pk_...", (text) =>
    frontendApiOf(text) === undefined ? undefined : text
  )
  const frontendApi = read("CLERK_FRONTEND_API", anAddress, (text) => address(text), false)
  const apiUrl = read("CLERK_API_URL", anAddress, (text) => address(text), false)
  if (problems.length > 0) throw new Error(`The settings of the MCP kit are not complete:\n- ${problems.join("\n- ")}`)

  const derived = frontendApiOf(publishableKey) ?? ""
  return {
    mcpServerUrl,
    appUrl,
    secretKey,
    publishableKey,
    frontendApi: frontendApi === "" || frontendApi === derived ? undefined : frontendApi,
    issuers: frontendApi === "" ? [derived] : [derived, frontendApi],
    signInUrl,
    apiUrl: apiUrl === "" ? undefined : apiUrl
  }
}
