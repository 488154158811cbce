import { OAuthAuthorizationServer } from "@cloudflare/workers-oauth-provider"
import { env } from "cloudflare:workers"

import type { AccountObject } from "../../../src/server/account/AccountObject.ts"

export { AccountObject } from "../../server/fixture/worker.ts"

/** Whose sessions are to be opened: one in each of the named objects, all of them under one of Clerk's users. */
export interface Crowd {
  readonly userId: string
  readonly objects: ReadonlyArray<string>
}

interface Bindings {
  readonly ACCOUNT_AGENT: DurableObjectNamespace<AccountObject>
  readonly OAUTH_KV: KVNamespace
}

const { ACCOUNT_AGENT: namespace, OAUTH_KV: kv } = env as unknown as Bindings

const messages = [
  {
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: {
      protocolVersion: "2025-11-25",
      capabilities: { elicitation: {} },
      clientInfo: { name: "one of many", version: "1" }
    }
  },
  { jsonrpc: "2.0", method: "notifications/initialized" }
]

const origin = "https://mcp.example.com"
const resource = `${origin}/mcp`
const redirectUri = "http://localhost/callback"
const clientId = "one-of-many"

/** The challenge of the verifier in RFC 7636, appendix B. */
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
const codeChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

const authorizationServer = new OAuthAuthorizationServer({
  issuer: origin,
  authorizeEndpoint: `${origin}/authorize`,
  tokenEndpoint: `${origin}/token`,
  resources: [resource]
})

/** A grant in the named object, by the library's own hand, and its access token. */
const signIn = async (object: string, userId: string) => {
  const client = { clientId, redirectUris: [redirectUri], tokenEndpointAuthMethod: "none", clientName: "One of many" }
  await kv.put(`client:${clientId}`, JSON.stringify(client))
  const stub = namespace.getByName(object)
  const put = (key: string, value: string) => stub.keep(key, value, null)
  const helpers = authorizationServer.getOAuthApi({ OAUTH_KV: { get: kv.get.bind(kv), put } })
  const { redirectTo } = await helpers.completeAuthorization({
    request: {
      responseType: "code",
      clientId,
      redirectUri,
      scope: ["mcp:tools"],
      state: "",
      codeChallenge,
      codeChallengeMethod: "S256",
      resource
    },
    userId: object,
    metadata: {},
    scope: ["mcp:tools"],
    props: { userId },
    revokeExistingGrants: false
  })
  const code = new URL(redirectTo).searchParams.get("code") ?? ""
  const form = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: clientId,
    redirect_uri: redirectUri,
    code,
    code_verifier: verifier
  })
  const headers = [["content-type", "application/x-www-form-urlencoded"]] as const
  const answer = await stub.token({ headers, form: form.toString() })
  return (await answer.json<{ readonly access_token: string }>()).access_token
}

const open = async (object: string, token: string) => {
  let sessionId: string | undefined
  for (const message of messages) {
    const { answer } = await namespace.getByName(object).post({
      bearer: { token, resource },
      resourceMetadataUrl: `${origin}/.well-known/oauth-protected-resource/mcp`,
      wire: "streamable",
      sessionId,
      protocolVersion: undefined,
      body: JSON.stringify(message)
    })
    const text = await answer?.text()
    if (answer?.ok !== true) throw new Error(`${answer?.status}: ${text}`)
    sessionId ??= answer.headers.get("mcp-session-id") ?? undefined
  }
}

const tokens = new Map<string, Promise<string>>()

const tokenOf = (object: string, userId: string) => {
  const token = tokens.get(object) ?? signIn(object, userId)
  tokens.set(object, token)
  return token
}

/** A Worker with the objects that ship, and a front that opens many sessions in them. Does nothing on GET. */
export default {
  fetch: async (request) => {
    if (request.method === "GET") return new Response()
    const { userId, objects } = await request.json<Crowd>()
    await Promise.all(objects.map(async (object) => open(object, await tokenOf(object, userId))))
    return new Response()
  }
} satisfies ExportedHandler
