import { assert, layer } from "@effect/vitest"

import { OAuthClient } from "../../support/OAuthClient.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { legacy } from "../../support/Wire.ts"

const callTool = (server: Server, token: string, name: string) =>
  legacy(server.mcp, token, "tools/call", { name, arguments: name === "sum" ? { a: 1, b: 2 } : {} })

/** What the client is told at the end of a sign-in that does not succeed. */
const refusedSignIn = async (server: Server, email: string) => {
  const client = await OAuthClient.register(server.mcp)
  const back = await server.person(email).authorize((await client.begin()).address)
  return [back.searchParams.get("error"), back.searchParams.get("error_description")] as const
}

const settings =
  /^Your permissions cannot be checked\. The operator of this server has to correct its Clerk settings\./u

layer(RunningServer.layer)("a Clerk instance that does not have everything", (it) => {
  it.effect(
    "signs people in without Organizations, lets them use their tools, and says once what is off",
    onServer(async (server) => {
      const before = server.logs().length
      await server.admin((admin) => admin.setFeatures({ organizations: false }))
      for (const email of ["artist@example.com", "member@example.com"]) {
        const { accessToken } = await server.signIn(email)
        for (const name of ["whoAmI", "sum"]) {
          const { result } = await callTool(server, accessToken, name)
          assert.notOk(result?.["isError"])
        }
      }
      const lines = server.logs().slice(before)
      assert.lengthOf(
        lines.filter((line) => line.includes("Organizations are off in Clerk")),
        1
      )
    })
  )

  it.effect(
    "signs people in whose secret key may not read memberships",
    onServer(async (server) => {
      const { id } = server.clerk.users.premium
      const effect = { kind: "refused", status: 403, code: "authorization_invalid" } as const
      const path = `/v1/users/${id}/organization_memberships`
      await server.admin((admin) => admin.addFault({ path, times: 100, effect }))
      const { accessToken } = await server.signIn("premium@example.com")
      const { result } = await callTool(server, accessToken, "sum")
      assert.notOk(result?.["isError"])
    })
  )

  it.effect(
    "tells people that the operator has to correct the settings where Clerk refuses the secret key",
    onServer(async (server) => {
      await server.admin((admin) => admin.reset)
      const { accessToken, client, refreshToken } = await server.signIn("admin@example.com")
      await server.restart()
      const effect = { kind: "refused", status: 401, code: "clerk_key_invalid" } as const
      await server.admin((admin) => admin.addFault({ path: "/v1/", times: 1_000, effect }))
      const [error, description] = await refusedSignIn(server, "member@example.com")
      assert.strictEqual(error, "server_error")
      assert.match(description ?? "", settings)
      const { result } = await callTool(server, accessToken, "sum")
      assert.isTrue(result?.["isError"])
      assert.include(JSON.stringify(result?.["content"]), "has to correct its Clerk settings.")
      const list = await legacy(server.mcp, accessToken, "tools/list")
      assert.match(list.error?.message ?? "", settings)
      // The grant stays: it works again once the settings are right.
      const refresh = await client.token({ grant_type: "refresh_token", refresh_token: refreshToken })
      assert.strictEqual(refresh.status, 503)
      assert.match((await refresh.json<{ readonly error_description: string }>()).error_description, settings)
    })
  )

  it.effect(
    "tells people that the operator has to correct the settings where the OAuth application may not do openid",
    onServer(async (server) => {
      await server.admin((admin) => admin.reset)
      const { settings } = server.clerk
      const headers = { authorization: `Bearer ${settings.CLERK_SECRET_KEY}`, "content-type": "application/json" }
      const url = `${settings.CLERK_API_URL}/v1/oauth_applications`
      const { data } = await (
        await fetch(url, { headers })
      ).json<{
        readonly data: ReadonlyArray<{ id: string }>
      }>()
      const body = JSON.stringify({ scopes: "profile email" })
      assert.isTrue((await fetch(`${url}/${data[0]?.id}`, { method: "PATCH", headers, body })).ok)
      const before = server.logs().length
      const [error, description] = await refusedSignIn(server, "admin@example.com")
      assert.strictEqual(error, "server_error")
      assert.match(description ?? "", /^Its operator has to correct its Clerk settings\./u)
      const line = server.logs().slice(before).join("\n")
      assert.include(line, '"reason":"ClerkMisconfigured"')
      assert.include(line, '"code":"invalid_scope"')
    })
  )
})
