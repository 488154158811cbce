import * as oauth from "oauth4webapi"

import { formOf, WebBrowser } from "../WebBrowser.ts"

// oxlint-disable-next-line typescript/no-deprecated -- marked so only to stand out; the server under test has no TLS
const insecure = { [oauth.allowInsecureRequests]: true } as const
const redirectUri = "http://127.0.0.1:33418/callback"

/** A whole sign-in of a new client at one resource: registration, consent, Clerk, code. Answers the access token. */
export const signIn = async (url: string, clerkUrl: string, resource: string, email: string): Promise<string> => {
  const issuer = new URL(url)
  const server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { ...insecure, algorithm: "oauth2" })
  )
  const client = await oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(
      server,
      { client_name: "Test client", redirect_uris: [redirectUri], token_endpoint_auth_method: "none" },
      insecure
    )
  )
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const address = new URL(server.authorization_endpoint ?? "")
  const parameters = {
    client_id: client.client_id,
    response_type: "code",
    redirect_uri: redirectUri,
    scope: "mcp:tools",
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    resource
  }
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value)

  const browser = new WebBrowser(url, clerkUrl)
  const consent = formOf((await browser.open(address)).html)
  consent.set("decision", "approve")
  const form = await browser.open(new URL("/authorize", url), consent)
  const back = await browser.open(form.url, new URLSearchParams({ email }))
  const answer = oauth.validateAuthResponse(server, client, back.url, state)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    answer,
    redirectUri,
    verifier,
    { ...insecure, additionalParameters: { resource } }
  )
  return (await oauth.processAuthorizationCodeResponse(server, client, response)).access_token
}
