import { assert, layer } from "@effect/vitest"

import { OAuthClient } from "../../support/OAuthClient.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { legacy, post } from "../../support/Wire.ts"

/** The organization that the tools of this connection are told of. */
const toldOf = async (server: Server, token: string) => {
  const { result } = await legacy(server.mcp, token, "tools/call", { name: "whoAmI", arguments: {} })
  assert.notOk(result?.["isError"])
  return (result?.["structuredContent"] as { readonly organization: string | null } | undefined)?.organization
}

/** The same, in a session, which the object of the user serves. */
const toldOfInSession = async (server: Server, token: string) => {
  const version = { "mcp-protocol-version": "2025-06-18" }
  const send = (id: number, method: string, params: object, headers: Readonly<Record<string, string>> = version) =>
    post(server.mcp, token, { jsonrpc: "2.0", id, method, params }, { headers })
  const clientInfo = { name: "test", version: "1" }
  const opened = await send(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo })
  const session = { ...version, "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" }
  const { result } = await send(2, "tools/call", { name: "whoAmI", arguments: {} }, session)
  return (result?.["structuredContent"] as { readonly organization: string | null } | undefined)?.organization
}

/** The values of the radio buttons on the page of the choice. */
const choices = (html: string) =>
  [...html.matchAll(/name="organization"\s+value="([^"]+)"/gu)].map(([, value]) => value ?? "")

layer(RunningServer.layer)("organizations of a running server", (it) => {
  it.effect(
    "are chosen without a page by a member of one, and are none for a member of none",
    onServer(async (server) => {
      await server.admin((admin) => admin.reset)
      for (const [email, organization] of [
        ["admin@example.com", "Northwind Studio"],
        ["member@example.com", null]
      ] as const) {
        const client = await OAuthClient.register(server.mcp)
        const person = server.person(email)
        const { page } = await person.untilSignIn((await client.begin()).address)
        assert.strictEqual((await person.signIn(page)).status, 0)
        assert.strictEqual(await toldOf(server, (await server.signIn(email)).accessToken), organization)
      }
    })
  )

  it.effect(
    "are chosen on a page by a member of two, and each connection knows its own",
    onServer(async (server) => {
      await server.admin((admin) => admin.reset)
      const email = "premium@example.com"
      await server.admin((admin) => admin.setOrganizations(email, [["org:a:read"], ["org:b:read"]]))
      await server.restart()
      const client = await OAuthClient.register(server.mcp)
      const person = server.person(email)
      const { page } = await person.untilSignIn((await client.begin()).address)
      const [first, second, ...others] = choices((await person.signIn(page)).html)
      assert.deepStrictEqual(others, ["personal"])
      const tokens = new Map<string, string>()
      for (const organization of [first, second, "personal"]) {
        const { accessToken } = await server.signIn(email, { organization: organization ?? "" })
        tokens.set((await toldOf(server, accessToken)) ?? "personal", accessToken)
      }
      assert.deepStrictEqual([...tokens.keys()], ["Organization 0", "Organization 1", "personal"])
      for (const [organization, token] of tokens) {
        assert.strictEqual((await toldOfInSession(server, token)) ?? "personal", organization)
      }
      // Leaving one ends the connection for that one alone.
      await server.admin((admin) => admin.setOrganizations(email, [["org:a:read"]]))
      await server.restart()
      const status = async (token = "") =>
        (await fetch(server.mcp, { method: "POST", headers: { authorization: `Bearer ${token}` } })).status
      assert.strictEqual(await status(tokens.get("Organization 1")), 401)
      assert.strictEqual(await toldOf(server, tokens.get("Organization 0") ?? ""), "Organization 0")
      assert.isNull(await toldOf(server, tokens.get("personal") ?? ""))
    })
  )
})
