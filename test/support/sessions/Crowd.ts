import { env } from "cloudflare:workers"

import type { AccountObject } from "../../../src/server/account/AccountObject.ts"
import { ClientId, GrantId, type Principal, UserId } from "../../../src/server/domain/Principal.ts"

export { AccountObject } from "../../server/fixture/worker.ts"

/** Whose sessions are to be opened: one in each of the named objects, all of them under one of Clerk's users. */
export interface Crowd {
  readonly userId: string
  readonly objects: ReadonlyArray<string>
}

const namespace = (env as unknown as { readonly ACCOUNT_AGENT: DurableObjectNamespace<AccountObject> }).ACCOUNT_AGENT

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

const open = async (object: string, principal: Principal) => {
  let sessionId: string | undefined
  for (const message of messages) {
    const answer = await namespace.getByName(object).post({
      principal,
      resourceMetadataUrl: "https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
      wire: "streamable",
      sessionId,
      protocolVersion: undefined,
      body: JSON.stringify(message)
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${answer.status}: ${text}`)
    sessionId ??= answer.headers.get("mcp-session-id") ?? undefined
  }
}

/** A Worker with the objects that ship, and a front that opens many sessions in them. Does nothing on GET. */
export default {
  fetch: async (request) => {
    if (request.method === "GET") return new Response()
    const { userId, objects } = await request.json<Crowd>()
    // Several grants: one alone may not have as many sessions as a user.
    const principal = (index: number): Principal => ({
      userId: UserId.make(userId),
      clientId: ClientId.make("client"),
      grantId: GrantId.make(`grant-${index % 4}`),
      scopes: ["mcp:tools"]
    })
    await Promise.all(objects.map((object, index) => open(object, principal(index))))
    return new Response()
  }
} satisfies ExportedHandler
