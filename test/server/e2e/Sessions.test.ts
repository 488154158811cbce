import { assert, layer } from "@effect/vitest"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"

import { OAuthClient } from "../../support/OAuthClient.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { connectV1, connectV2, Login } from "../../support/SdkClients.ts"
import { unread } from "../../support/Unread.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const tokenFor = async (server: Server, path: "/mcp" | "/sse", email = "admin@example.com") => {
  const client = await OAuthClient.register(`${server.url}${path}`)
  return (await server.signIn(email, { client })).accessToken
}

const posted = { accept: "application/json, text/event-stream", "content-type": "application/json" }

const bearer =
  (token: string): typeof fetch =>
  (input, init) =>
    fetch(input, {
      ...init,
      headers: { ...Object.fromEntries(new Headers(init?.headers)), authorization: `Bearer ${token}` }
    })

const opened = async ({ mcp }: Server, token: string) => {
  const transport = new StreamableHTTPClientTransport(new URL(mcp), { fetch: bearer(token) })
  const client = new Client({ name: "sdk-v1", version: "1" })
  await client.connect(transport)
  return { transport, client }
}

const add = { name: "sum", arguments: { a: 1, b: 2 } }

layer(RunningServer.layer)("sessions", (it) => {
  it.effect(
    "on /mcp: SDK v1 has one, with a stream of its own, and ends it",
    onServer(async (server) => {
      const token = await tokenFor(server, "/mcp")
      const { transport, client } = await opened(server, token)
      const { sessionId = "" } = transport
      assert.match(sessionId, /^[0-9a-f]{32}$/u)
      assert.strictEqual(transport.protocolVersion, "2025-11-25")
      assert.deepEqual((await client.callTool(add)).structuredContent, { sum: 3 })
      const stream = await bearer(token)(server.mcp, {
        headers: { accept: "text/event-stream", "mcp-session-id": sessionId }
      })
      assert.strictEqual(stream.status, 200)
      assert.strictEqual(stream.headers.get("mcp-session-id"), sessionId)
      const ofPage = await bearer(token)(server.mcp, {
        method: "POST",
        headers: { ...posted, origin: "http://localhost:6274", "mcp-session-id": sessionId },
        body: JSON.stringify({ jsonrpc: "2.0", id: 9, method: "ping" })
      })
      await ofPage.text()
      assert.include(ofPage.headers.get("access-control-expose-headers") ?? "", "Mcp-Session-Id")
      const withLongId = await bearer(token)(server.mcp, {
        method: "POST",
        headers: { ...posted, "mcp-session-id": sessionId },
        body: JSON.stringify({ jsonrpc: "2.0", id: "i".repeat(257), method: "ping" })
      })
      assert.strictEqual(withLongId.status, 400)
      assert.include(await withLongId.text(), "An id may have 256 characters")
      const text = stream.text()
      await transport.terminateSession()
      assert.match(await text, /^id: _GET_stream\.\d+\nretry: 1000\ndata: \n\n$/u)
      await client.close()
      const gone = await bearer(token)(server.mcp, {
        headers: { accept: "text/event-stream", "mcp-session-id": sessionId }
      })
      assert.strictEqual(gone.status, 404)
    })
  )

  it.effect(
    "on /sse: SDK v1 has one, whose tokens are its own, and leaves none behind",
    onServer(async (server) => {
      const token = await tokenFor(server, "/sse")
      let address = ""
      const watched: typeof fetch = (input, init) => {
        if (input instanceof URL && input.searchParams.has("sessionId")) address = input.href
        return bearer(token)(input, init)
      }
      const client = new Client({ name: "sdk-v1", version: "1" })
      // oxlint-disable-next-line typescript/no-deprecated -- clients that still have nothing else are what /sse is for
      await client.connect(new SSEClientTransport(new URL(`${server.url}/sse`), { fetch: watched }))
      assert.deepEqual((await client.callTool(add)).structuredContent, { sum: 3 })
      assert.includeMembers(
        (await client.listTools()).tools.map(({ name }) => name),
        ["sum", "whoAmI", "paint"]
      )
      const ping = (holder: string) =>
        bearer(holder)(address, {
          method: "POST",
          headers: posted,
          body: JSON.stringify({ jsonrpc: "2.0", id: 99, method: "ping" })
        })
      assert.strictEqual((await ping(await tokenFor(server, "/mcp"))).status, 401)
      assert.strictEqual((await ping(await tokenFor(server, "/sse"))).status, 404)
      assert.strictEqual((await ping(await tokenFor(server, "/sse", "member@example.com"))).status, 404)
      assert.strictEqual((await ping(token)).status, 202)
      await client.close()
      let status = 202
      for (let tries = 0; status !== 404 && tries < 40; tries++) {
        await pause(500)
        ;({ status } = await ping(token))
      }
      assert.strictEqual(status, 404)
    })
  )

  for (const { name, connect } of [
    { name: "SDK v1", connect: connectV1 },
    { name: "SDK v2", connect: connectV2("legacy") }
  ]) {
    it.effect(
      `go on when ${name} signs the person in again, for what the new token may do`,
      onServer(async (server) => {
        const login = new Login(server.person("premium@example.com"))
        const client = await connect(server.mcp, login)
        assert.deepEqual((await client.call("sum", add.arguments)).structuredContent, { sum: 3 })
        login.choice = { scopes: ["paint:use"] }
        const image = () => client.call("paint", { prompt: "a lighthouse" })
        const refused = () => image().then(Boolean, () => false)
        assert.isFalse(await refused())
        // The older one tries to refresh its token instead, and leaves the rest to its application.
        if (login.asked === 1) {
          login.forgetTokens()
          assert.isFalse(await refused())
        }
        assert.strictEqual(login.asked, 2)
        await client.signInAgain()
        assert.notOk((await image()).isError)
        assert.deepEqual((await client.call("sum", add.arguments)).structuredContent, { sum: 3 })
        await client.close()
      })
    )
  }

  it.effect(
    "of another user, or of another client, are found by nobody",
    onServer(async (server) => {
      const { transport, client } = await opened(server, await tokenFor(server, "/mcp"))
      const { sessionId = "" } = transport
      for (const email of ["admin@example.com", "member@example.com"]) {
        const thief = bearer(await tokenFor(server, "/mcp", email))
        for (const method of ["POST", "GET", "DELETE"]) {
          const response = await thief(server.mcp, {
            method,
            headers: { ...posted, "mcp-session-id": sessionId },
            ...(method === "POST" && { body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }) })
          })
          assert.strictEqual(response.status, 404, `${email} ${method}`)
          assert.deepEqual(await response.json(), {
            jsonrpc: "2.0",
            error: { code: -32001, message: "Session not found" },
            id: null
          })
        }
      }
      assert.deepEqual((await client.callTool(add)).structuredContent, { sum: 3 })
      await client.close()
    })
  )

  it.effect(
    "are not needed: a client without one is served all the same",
    onServer(async (server) => {
      const response = await bearer(await tokenFor(server, "/mcp"))(server.mcp, {
        method: "POST",
        headers: posted,
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: add })
      })
      assert.strictEqual(response.status, 200)
      assert.isNull(response.headers.get("mcp-session-id"))
      assert.match(await response.text(), /"sum":3/u)
    })
  )

  it.effect(
    "are not needed to be told what is wrong with a message",
    onServer(async (server) => {
      const send = async (body: string, type = "application/json") => {
        const response = await bearer(await tokenFor(server, "/mcp"))(server.mcp, {
          method: "POST",
          headers: { ...posted, "content-type": type },
          body
        })
        const { error } = await response.json<{ readonly error: { readonly code: number } }>()
        return [response.status, error.code]
      }
      assert.deepEqual(await send("{"), [400, -32700])
      assert.deepEqual(await send("{}", "text/plain"), [415, -32000])
      const large = JSON.stringify({ padding: "x".repeat(1024 * 1024) })
      assert.deepEqual(await unread(() => send(large)), [413, -32000])
    })
  )
})
