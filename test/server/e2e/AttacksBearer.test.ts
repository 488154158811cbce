import { assert, layer } from "@effect/vitest"
import { request } from "node:http"

import { OAuthClient } from "../../support/OAuthClient.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { challengeOf, legacy, modern } from "../../support/Wire.ts"
import { unread } from "../../support/Unread.ts"

const isInvalidToken = (
  server: Server,
  { status, headers }: { readonly status: number; readonly headers: Headers }
) => {
  assert.strictEqual(status, 401)
  const challenge = challengeOf(headers)
  assert.strictEqual(challenge["error"], "invalid_token")
  assert.strictEqual(challenge["resource_metadata"], `${server.url}/.well-known/oauth-protected-resource/mcp`)
}

/** The status of a POST with a `Host` of one's own, which `fetch` does not allow. */
const withHost = (server: Server, host: string, token: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const headers = { host, authorization: `Bearer ${token}`, "content-type": "application/json" }
    const sent = request(server.mcp, { method: "POST", headers }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.on("error", reject)
    sent.end(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }))
  })

layer(RunningServer.layer)("attacks with bearer tokens", (it) => {
  it.effect(
    "tokens that this server did not give out are invalid",
    onServer(async (server) => {
      const { accessToken, refreshToken } = await server.signIn("member@example.com")
      const { accessToken: adminToken } = await server.signIn("admin@example.com")
      const [user = "", grant = "", secret = ""] = accessToken.split(":")
      const [admin = "", adminGrant = ""] = adminToken.split(":")
      const wrong = {
        nonsense: "nonsense",
        "an empty secret": `${user}:${grant}:`,
        "a changed secret": `${user}:${grant}:${secret.slice(1)}x`,
        "the user of another": `${admin}:${grant}:${secret}`,
        "the grant of another": `${admin}:${adminGrant}:${secret}`,
        "a refresh token": refreshToken,
        "one part more": `${accessToken}:x`,
        "an unsigned JWT": `${Buffer.from('{"alg":"none"}').toString("base64url")}.e30.`,
        "something very long": "x".repeat(7_000),
        "a very long secret": `${user}:${grant}:${"x".repeat(7_000)}`
      }
      for (const [what, token] of Object.entries(wrong)) {
        for (const send of [legacy, modern]) {
          const reply = await send(server.mcp, token, "tools/list")
          assert.strictEqual(reply.status, 401, what)
          isInvalidToken(server, reply)
        }
      }
      assert.strictEqual((await legacy(server.mcp, accessToken, "tools/list")).status, 200)
    })
  )

  for (const [what, authorization] of [
    ["no scheme", (token: string) => token],
    ["another scheme", (token: string) => `Basic ${btoa(`x:${token}`)}`],
    ["no token", () => "Bearer "],
    ["two tokens", (token: string) => `Bearer x, Bearer ${token}`]
  ] as const) {
    it.effect(
      `an Authorization header with ${what} is challenged`,
      onServer(async (server) => {
        const { accessToken } = await server.signIn("member@example.com")
        const headers = { authorization: authorization(accessToken) }
        const reply = await legacy(server.mcp, accessToken, "tools/list", {}, { headers })
        assert.strictEqual(reply.status, 401)
        assert.match(reply.headers.get("www-authenticate") ?? "", /^Bearer /u)
      })
    )
  }

  it.effect(
    "a code is no access token",
    onServer(async (server) => {
      const client = await OAuthClient.register(server.mcp)
      const back = await server.person("member@example.com").authorize((await client.begin()).address)
      isInvalidToken(server, await legacy(server.mcp, back.searchParams.get("code") ?? "", "tools/list"))
    })
  )

  it.effect(
    "a token of /sse is worth nothing at /mcp",
    onServer(async (server) => {
      const client = await OAuthClient.register(`${server.url}/sse`)
      const connection = await server.signIn("admin@example.com", { client })
      assert.strictEqual(connection.tokens["resource"], `${server.url}/sse`)
      isInvalidToken(server, await legacy(server.mcp, connection.accessToken, "tools/list"))
      isInvalidToken(server, await modern(server.mcp, connection.accessToken, "tools/list"))
    })
  )

  it.effect(
    "a token that has expired, or was taken from the store, is invalid",
    onServer(async (server) => {
      const { accessToken, client, refreshToken } = await server.signIn("member@example.com")
      const [user = "", grant = ""] = accessToken.split(":")
      const object = await server.object(user)
      const stored = (await object.readRecords()).filter(({ key }) => key.startsWith(`token:${user}:${grant}:`))
      assert.lengthOf(stored, 1)
      const { key: name, value } = stored[0]!
      const record = JSON.parse(value) as { readonly expiresAt: number }
      assert.isAbove(record.expiresAt, Date.now() / 1_000)
      const expiresAt = Math.floor(Date.now() / 1_000) - 1
      await object.writeRecord(name, JSON.stringify({ ...record, expiresAt }))
      isInvalidToken(server, await legacy(server.mcp, accessToken, "tools/list"))
      await object.writeRecord(name, value)
      assert.strictEqual((await legacy(server.mcp, accessToken, "tools/list")).status, 200)
      await object.writeRecord(name, null)
      isInvalidToken(server, await legacy(server.mcp, accessToken, "tools/list"))
      const { access_token } = await client.refresh(refreshToken)
      assert.strictEqual((await legacy(server.mcp, access_token, "tools/list")).status, 200)
    })
  )

  it.effect(
    "the store holds neither tokens nor codes nor anything about a person in clear",
    onServer(async (server) => {
      const { accessToken, refreshToken } = await server.signIn("premium@example.com")
      const kv = await server.kv()
      const { keys } = await kv.list()
      const stored = await Promise.all(keys.map(async ({ name }) => `${name} ${(await kv.get(name)) ?? ""}`))
      assert.isAtLeast(stored.length, 1)
      const { premium } = server.clerk.users
      const secrets = [accessToken, refreshToken].map((token) => token.split(":")[2] ?? "")
      for (const secret of [...secrets, premium.email, premium.firstName, premium.lastName]) {
        assert.notInclude(stored.join("\n"), secret)
      }
      // The object keeps what Clerk says of its user.
      const records = (await (await server.object(premium.id)).readRecords()).filter(({ key }) => key !== "clerk")
      assert.isAtLeast(records.length, 2)
      for (const secret of [...secrets, premium.email]) assert.notInclude(JSON.stringify(records), secret)
    })
  )

  it.effect(
    "a token in the address is refused, even beside a good one in the header",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      const address = `${server.mcp}?access_token=${encodeURIComponent(accessToken)}`
      for (const headers of [{}, { authorization: undefined }]) {
        const reply = await legacy(address, accessToken, "tools/list", {}, { headers })
        assert.strictEqual(reply.status, 400)
        assert.strictEqual(challengeOf(reply.headers)["error"], "invalid_request")
        assert.strictEqual((JSON.parse(reply.text) as { readonly error: string }).error, "invalid_request")
      }
    })
  )

  it.effect(
    "a page of a foreign origin is refused, a hosted client's is not",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      const foreign = [
        "https://evil.example",
        "https://claude.ai.evil.example",
        "https://evilclaude.ai",
        "null",
        "file://"
      ]
      for (const origin of foreign) {
        for (const send of [legacy, modern]) {
          const { status, result } = await send(server.mcp, accessToken, "tools/list", {}, { headers: { origin } })
          assert.strictEqual(status, 403, origin)
          assert.isUndefined(result)
        }
      }
      for (const origin of ["https://claude.ai", "https://chatgpt.com", "http://localhost:6274", server.url]) {
        const { status } = await legacy(server.mcp, accessToken, "tools/list", {}, { headers: { origin } })
        assert.strictEqual(status, 200, origin)
      }
    })
  )

  it.effect(
    "a request for a foreign host is refused: names cannot be rebound to this server",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      for (const host of ["evil.example", "localhost.evil.example", "evil.example:8788"]) {
        assert.strictEqual(await withHost(server, host, accessToken), 403, host)
      }
      // 406: the host is fine, the request says no `Accept`.
      assert.notStrictEqual(await withHost(server, new URL(server.url).host, accessToken), 403)
    })
  )

  it.effect(
    "bodies that are no message, too many or too large are refused",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      const send = async (body: string, contentType = "application/json") => {
        const headers = {
          authorization: `Bearer ${accessToken}`,
          "content-type": contentType,
          accept: "application/json, text/event-stream"
        }
        const response = await fetch(server.mcp, { method: "POST", headers, body })
        const text = await response.text()
        return [response.status, (/"code":(-\d+)/u.exec(text) ?? [])[1]] as const
      }
      assert.deepStrictEqual(await send("{"), [400, "-32700"])
      assert.deepStrictEqual(await send('"tools/list"'), [400, "-32600"])
      assert.strictEqual((await send('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', "text/plain"))[0], 415)
      const large = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { x: "x".repeat(2 ** 20) } })
      assert.strictEqual((await unread(() => send(large)))[0], 413)
    })
  )
})
