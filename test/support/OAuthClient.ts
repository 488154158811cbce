import * as oauth from "oauth4webapi"

// oxlint-disable-next-line typescript/no-deprecated -- marked so only to stand out; the server under test has no TLS
const insecure = { [oauth.allowInsecureRequests]: true } as const

/** What the server hands a client for a code or a refresh token. */
export type Tokens = oauth.TokenEndpointResponse

/** An authorization request under way: what the client remembers, and the address for the browser. */
export interface Attempt {
  readonly address: URL
  readonly state: string
  readonly verifier: string
  readonly redirectUri: string
}

export interface Registration {
  readonly name?: string
  readonly redirectUris?: ReadonlyArray<string>
}

/** Parameters of one authorization request; `undefined` leaves one out that would be sent. */
export type Parameters = Readonly<Record<string, string | undefined>>

/** Where nothing listens: the walk of a test ends on the way there. */
export const redirectUri = "http://127.0.0.1:33418/callback"

/** The authorization server behind a resource, found as the MCP specification says (RFC 9728, then RFC 8414). */
export const discover = async (resource: URL): Promise<oauth.AuthorizationServer> => {
  const described = await oauth.processResourceDiscoveryResponse(
    resource,
    await oauth.resourceDiscoveryRequest(resource, insecure)
  )
  const issuer = new URL(described.authorization_servers?.[0] ?? "")
  return oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { ...insecure, algorithm: "oauth2" })
  )
}

/** A public OAuth client made of oauth4webapi, which checks `state`, `iss` and every answer by itself. */
export class OAuthClient {
  readonly server: oauth.AuthorizationServer
  readonly client: oauth.Client
  readonly resource: string
  readonly #redirectUri: string

  private constructor(server: oauth.AuthorizationServer, client: oauth.Client, resource: string, redirect: string) {
    this.server = server
    this.client = client
    this.resource = resource
    this.#redirectUri = redirect
  }

  /** Discovers the server of `resource` and registers there (RFC 7591). */
  static async register(resource: string, registration: Registration = {}): Promise<OAuthClient> {
    const { name = "Test client", redirectUris = [redirectUri] } = registration
    const server = await discover(new URL(resource))
    const client = await oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(
        server,
        {
          client_name: name,
          redirect_uris: [...redirectUris],
          token_endpoint_auth_method: "none",
          application_type: "native"
        },
        insecure
      )
    )
    return new OAuthClient(server, client, resource, redirectUris[0] ?? "")
  }

  get id(): string {
    return this.client.client_id
  }

  /** A conforming authorization request, changed by `changes`. */
  async begin(changes: Parameters = {}): Promise<Attempt> {
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const address = new URL(this.server.authorization_endpoint ?? "")
    const parameters: Parameters = {
      client_id: this.id,
      response_type: "code",
      redirect_uri: this.#redirectUri,
      scope: "mcp:tools",
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      resource: this.resource,
      ...changes
    }
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) address.searchParams.set(name, value)
    }
    return { address, state, verifier, redirectUri: parameters["redirect_uri"] ?? this.#redirectUri }
  }

  /** Takes the browser back and redeems the code. Refuses an answer without the right `state` and `iss`. */
  async redeem(attempt: Attempt, back: URL, resource: string | undefined = this.resource): Promise<Tokens> {
    const answer = oauth.validateAuthResponse(this.server, this.client, back, attempt.state)
    const response = await oauth.authorizationCodeGrantRequest(
      this.server,
      this.client,
      oauth.None(),
      answer,
      attempt.redirectUri,
      attempt.verifier,
      { ...insecure, additionalParameters: resource === undefined ? {} : { resource } }
    )
    return oauth.processAuthorizationCodeResponse(this.server, this.client, response)
  }

  async refresh(refreshToken: string): Promise<Tokens> {
    const response = await oauth.refreshTokenGrantRequest(this.server, this.client, oauth.None(), refreshToken, {
      ...insecure,
      additionalParameters: { resource: this.resource }
    })
    return oauth.processRefreshTokenResponse(this.server, this.client, response)
  }

  async revoke(token: string): Promise<void> {
    const response = await oauth.revocationRequest(this.server, this.client, oauth.None(), token, insecure)
    await oauth.processRevocationResponse(response)
  }

  /** A token request as this client sends it, for what the library would not send by itself. */
  async token(fields: Readonly<Record<string, string>>): Promise<Response> {
    return fetch(this.server.token_endpoint ?? "", {
      method: "POST",
      body: new URLSearchParams({ client_id: this.id, ...fields })
    })
  }
}
