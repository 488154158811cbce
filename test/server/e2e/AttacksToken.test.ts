import { assert, layer } from "@effect/vitest"

import { OAuthClient, type Parameters } from "../../support/OAuthClient.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { legacy } from "../../support/Wire.ts"
import { unread } from "../../support/Unread.ts"

/** A code that was handed out and not redeemed yet, with the request that would redeem it. */
const codeInHand = async (server: Server, request?: Parameters) => {
  const client = await OAuthClient.register(server.mcp)
  const attempt = await client.begin(request)
  const back = await server.person("admin@example.com").authorize(attempt.address)
  const redemption = {
    grant_type: "authorization_code",
    code: back.searchParams.get("code") ?? "",
    redirect_uri: attempt.redirectUri,
    code_verifier: attempt.verifier
  }
  return { client, redemption }
}

const without = (fields: Readonly<Record<string, string>>, name: string) =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name))

const isError = async (response: Response, status: number, error: string) => {
  const body = await response.json<{ readonly error?: string; readonly access_token?: string }>()
  assert.deepStrictEqual([response.status, body.error], [status, error])
  assert.notProperty(body, "access_token")
}

layer(RunningServer.layer)("attacks on the token endpoint", (it) => {
  for (const [what, change, error] of [
    ["without a code_verifier", (fields) => without(fields, "code_verifier"), "invalid_request"],
    ["with another code_verifier", (fields) => ({ ...fields, code_verifier: "v".repeat(43) }), "invalid_grant"],
    ["with an empty code_verifier", (fields) => ({ ...fields, code_verifier: "" }), "invalid_request"],
    ["with another redirect", (fields) => ({ ...fields, redirect_uri: "https://evil.example/" }), "invalid_grant"],
    [
      "with another port of the same redirect",
      (fields) => ({ ...fields, redirect_uri: "http://127.0.0.1:1/callback" }),
      "invalid_grant"
    ],
    ["with a changed code", (fields) => ({ ...fields, code: `${fields["code"] ?? ""}x` }), "invalid_grant"],
    ["with nonsense as code", (fields) => ({ ...fields, code: "nonsense" }), "invalid_grant"],
    ["without a code", (fields) => without(fields, "code"), "invalid_request"],
    [
      "for a resource that was not granted",
      (fields) => ({ ...fields, resource: "https://evil.example" }),
      "invalid_target"
    ],
    ["without a grant type", (fields) => without(fields, "grant_type"), "unsupported_grant_type"],
    ["as a password grant", (fields) => ({ ...fields, grant_type: "password" }), "unsupported_grant_type"],
    [
      "as a token exchange",
      (fields) => ({ ...fields, grant_type: "urn:ietf:params:oauth:grant-type:token-exchange" }),
      "unsupported_grant_type"
    ]
  ] as ReadonlyArray<readonly [string, (fields: Readonly<Record<string, string>>) => Record<string, string>, string]>) {
    it.effect(
      `a redemption ${what} is refused`,
      onServer(async (server) => {
        const { client, redemption } = await codeInHand(server)
        await isError(await client.token(change(redemption)), 400, error)
      })
    )
  }

  it.effect(
    "a code for /mcp cannot become a token for /sse",
    onServer(async (server) => {
      const { client, redemption } = await codeInHand(server)
      await isError(await client.token({ ...redemption, resource: `${server.url}/sse` }), 400, "invalid_target")
    })
  )

  it.effect(
    "a code counts once, and whoever replays it ends what came of it",
    onServer(async (server) => {
      const { client, redemption } = await codeInHand(server)
      const first = await (await client.token(redemption)).json<{ access_token: string; refresh_token: string }>()
      assert.strictEqual((await legacy(server.mcp, first.access_token, "tools/list")).status, 200)
      await isError(await client.token(redemption), 400, "invalid_grant")
      assert.strictEqual((await legacy(server.mcp, first.access_token, "tools/list")).status, 401)
      const refresh = { grant_type: "refresh_token", refresh_token: first.refresh_token }
      await isError(await client.token(refresh), 400, "invalid_grant")
    })
  )

  it.effect(
    "another client can neither redeem a code, nor refresh, nor revoke; and trying ends nothing",
    onServer(async (server) => {
      const stranger = await OAuthClient.register(server.mcp)
      const { client, redemption } = await codeInHand(server)
      await isError(await stranger.token(redemption), 400, "invalid_grant")
      const tokens = await (await client.token(redemption)).json<{ access_token: string; refresh_token: string }>()
      const refresh = { grant_type: "refresh_token", refresh_token: tokens.refresh_token }
      await isError(await stranger.token(refresh), 400, "invalid_grant")
      await stranger.revoke(tokens.refresh_token)
      await stranger.revoke(tokens.access_token)
      assert.strictEqual((await legacy(server.mcp, tokens.access_token, "tools/list")).status, 200)
      assert.strictEqual((await client.token(refresh)).status, 200)
    })
  )

  it.effect(
    "an unknown client gets nothing",
    onServer(async (server) => {
      const { redemption } = await codeInHand(server)
      const body = new URLSearchParams({ ...redemption, client_id: "nobody" })
      await isError(await fetch(`${server.url}/token`, { method: "POST", body }), 401, "invalid_client")
      const bare = new URLSearchParams(redemption)
      await isError(await fetch(`${server.url}/token`, { method: "POST", body: bare }), 401, "invalid_client")
    })
  )

  it.effect(
    "a refresh cannot add scopes",
    onServer(async (server) => {
      const { client, refreshToken } = await server.signIn("admin@example.com")
      for (const scope of ["mcp:tools paint:use", "paint:use", "admin"]) {
        const response = await client.token({ grant_type: "refresh_token", refresh_token: refreshToken, scope })
        const { scope: granted = "" } = await response.json<{ readonly scope?: string }>()
        assert.include([200, 400], response.status)
        assert.notInclude(granted, "paint:use")
        assert.notInclude(granted, "admin")
      }
      const refused = await legacy(server.mcp, (await client.refresh(refreshToken)).access_token, "tools/call", {
        name: "paint",
        arguments: { prompt: "x" }
      })
      assert.strictEqual(refused.status, 403)
    })
  )

  it.effect(
    "refresh tokens that are none are refused",
    onServer(async (server) => {
      const { client, accessToken, refreshToken } = await server.signIn("admin@example.com")
      const [user = "", grant = ""] = refreshToken.split(":")
      for (const wrong of [
        "",
        "x",
        accessToken,
        `${refreshToken}x`,
        `${user}:${grant}:`,
        `${user}:other:x`,
        "a:b:c:d"
      ]) {
        const response = await client.token({ grant_type: "refresh_token", refresh_token: wrong })
        await isError(response, 400, wrong === "" ? "invalid_request" : "invalid_grant")
      }
      assert.isString((await client.refresh(refreshToken)).access_token)
    })
  )

  it.effect(
    "a parameter that is given twice is refused",
    onServer(async (server) => {
      const { client, redemption } = await codeInHand(server)
      const body = new URLSearchParams({ ...redemption, client_id: client.id })
      body.append("code_verifier", "another")
      await isError(await fetch(`${server.url}/token`, { method: "POST", body }), 400, "invalid_request")
    })
  )

  it.effect(
    "what is no form, no POST or too large is not read",
    onServer(async (server) => {
      const { client, redemption } = await codeInHand(server)
      const fields = { ...redemption, client_id: client.id }
      const large = new URLSearchParams({ ...fields, padding: "x".repeat(64 * 1024) })
      await unread(async () =>
        isError(await fetch(`${server.url}/token`, { method: "POST", body: large }), 413, "invalid_request")
      )
      const json = await fetch(`${server.url}/token`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(fields)
      })
      await isError(json, 415, "invalid_request")
      await isError(await fetch(`${server.url}/token`), 405, "invalid_request")
      assert.strictEqual((await client.token(redemption)).status, 200)
    })
  )
})
