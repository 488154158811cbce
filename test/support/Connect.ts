import * as oauth from "oauth4webapi"

import { formOf, WebBrowser } from "./WebBrowser.ts"

// oxlint-disable-next-line typescript/no-deprecated -- marked so only to stand out; the local Worker has no TLS
const insecure = { [oauth.allowInsecureRequests]: true } as const

/** A person at a browser, who allows what is asked for and signs in at the Clerk stand-in. */
export const signInAt = async (
  address: string | URL,
  origins: readonly [worker: string, clerk: string],
  email: string,
  scopes: ReadonlyArray<string> = []
): Promise<URL> => {
  const browser = new WebBrowser(...origins)
  const consent = await browser.open(address)
  const form = formOf(consent.html)
  for (const scope of scopes) form.append("scope", scope)
  form.set("decision", "approve")
  const page = await browser.open(new URL("/authorize", origins[0]), form)
  const back = await browser.open(page.url, new URLSearchParams({ email }))
  if (back.status !== 0) throw new Error(`The sign-in ended at ${back.url.href}: ${back.html}`)
  return back.url
}

/** An OAuth client of its own (oauth4webapi) that has registered itself with the Worker. */
export const registerClient = async (worker: string, redirectUri: string) => {
  const issuer = new URL(worker)
  const server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure })
  )
  const client = await oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(
      server,
      { client_name: "Conformance", redirect_uris: [redirectUri], token_endpoint_auth_method: "none" },
      insecure
    )
  )
  return { server, client }
}

/** Connects as a person does, and returns the access token. */
export const connect = async (options: {
  readonly worker: string
  readonly clerk: string
  readonly email: string
  readonly scopes?: ReadonlyArray<string>
}): Promise<string> => {
  const redirectUri = "http://127.0.0.1:3334/callback"
  const { server, client } = await registerClient(options.worker, redirectUri)
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const address = new URL(server.authorization_endpoint ?? "")
  const parameters = {
    client_id: client.client_id,
    response_type: "code",
    redirect_uri: redirectUri,
    scope: ["mcp:tools", ...(options.scopes ?? [])].join(" "),
    state,
    resource: `${options.worker}/mcp`,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256"
  }
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value)
  const back = await signInAt(address, [options.worker, options.clerk], options.email)
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    oauth.validateAuthResponse(server, client, back, state),
    redirectUri,
    verifier,
    insecure
  )
  return (await oauth.processAuthorizationCodeResponse(server, client, answer)).access_token
}
