import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

import { signIn } from "../support/sessions/SignIn.ts"

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

let url = ""
let clerkUrl = ""
let stop = () => {}

beforeAll(async () => {
  const [port, clerkPort] = [await freePort(), await freePort()]
  url = `http://localhost:${port}`
  clerkUrl = `http://localhost:${clerkPort}`
  const options = [`--port=${port}`, `--clerk-port=${clerkPort}`]
  const started = spawn(process.execPath, ["dev/start.ts", ...options], {
    env: { ...process.env, NODE_ENV: "production" }
  })
  stop = () => started.kill("SIGINT")
  await new Promise<void>((resolve, reject) => {
    let said = ""
    const listen = (text: Buffer) => {
      said += text.toString()
      if (said.includes("Ctrl-C stops both")) resolve()
    }
    started.stdout.on("data", listen)
    started.stderr.on("data", listen)
    started.on("close", () => reject(new Error(said)))
  })
})
afterAll(() => stop())

const tokenFor = (resource: "/mcp" | "/sse", email = "admin@example.com") =>
  signIn(url, clerkUrl, `${url}${resource}`, email)

const bearer =
  (token: string): typeof fetch =>
  (input, init) =>
    fetch(input, {
      ...init,
      headers: { ...Object.fromEntries(new Headers(init?.headers)), authorization: `Bearer ${token}` }
    })

const opened = async (token: string) => {
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { fetch: bearer(token) })
  const client = new Client({ name: "sdk-v1", version: "1" })
  await client.connect(transport)
  return { transport, client }
}

const add = { name: "add", arguments: { a: 1, b: 2 } }

describe("the SDK that most clients ship", () => {
  it("has a session on /mcp, with a stream of its own, and ends it", async () => {
    const token = await tokenFor("/mcp")
    const { transport, client } = await opened(token)
    const { sessionId = "" } = transport
    assert.match(sessionId, /^[0-9a-f]{32}$/u)
    assert.strictEqual(transport.protocolVersion, "2025-11-25")
    assert.deepEqual((await client.callTool(add)).structuredContent, { sum: 3 })
    const stream = await bearer(token)(`${url}/mcp`, {
      headers: { accept: "text/event-stream", "mcp-session-id": sessionId }
    })
    assert.strictEqual(stream.status, 200)
    assert.strictEqual(stream.headers.get("mcp-session-id"), sessionId)
    const text = stream.text()
    await transport.terminateSession()
    assert.match(await text, /^id: _GET_stream\.\d+\nretry: 1000\ndata: \n\n$/u)
    await client.close()
    const gone = await bearer(token)(`${url}/mcp`, {
      headers: { accept: "text/event-stream", "mcp-session-id": sessionId }
    })
    assert.strictEqual(gone.status, 404)
  })

  it("has a session on /sse, whose tokens are its own, and leaves none behind", async () => {
    const token = await tokenFor("/sse")
    let address = ""
    const watched: typeof fetch = (input, init) => {
      if (input instanceof URL && input.searchParams.has("sessionId")) address = input.href
      return bearer(token)(input, init)
    }
    const client = new Client({ name: "sdk-v1", version: "1" })
    // oxlint-disable-next-line typescript/no-deprecated -- clients that still have nothing else are what /sse is for
    await client.connect(new SSEClientTransport(new URL(`${url}/sse`), { fetch: watched }))
    assert.deepEqual((await client.callTool(add)).structuredContent, { sum: 3 })
    assert.includeMembers(
      (await client.listTools()).tools.map(({ name }) => name),
      ["add", "userInfo", "generateImage"]
    )
    const ping = (holder: string) =>
      bearer(holder)(address, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 99, method: "ping" })
      })
    assert.strictEqual((await ping(await tokenFor("/mcp"))).status, 401)
    assert.strictEqual((await ping(await tokenFor("/sse"))).status, 404)
    assert.strictEqual((await ping(await tokenFor("/sse", "member@example.com"))).status, 404)
    assert.strictEqual((await ping(token)).status, 202)
    await client.close()
    let status = 202
    for (let tries = 0; status !== 404 && tries < 40; tries++) {
      await pause(500)
      ;({ status } = await ping(token))
    }
    assert.strictEqual(status, 404)
  })

  it("finds no session of another user, or of another grant", async () => {
    const { transport, client } = await opened(await tokenFor("/mcp"))
    const { sessionId = "" } = transport
    for (const email of ["admin@example.com", "member@example.com"]) {
      const thief = bearer(await tokenFor("/mcp", email))
      for (const method of ["POST", "GET", "DELETE"]) {
        const response = await thief(`${url}/mcp`, {
          method,
          headers: {
            accept: "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-session-id": sessionId
          },
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
})

describe("a client without a session", () => {
  it("is served all the same", async () => {
    const response = await bearer(await tokenFor("/mcp"))(`${url}/mcp`, {
      method: "POST",
      headers: { accept: "application/json, text/event-stream", "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: add })
    })
    assert.strictEqual(response.status, 200)
    assert.isNull(response.headers.get("mcp-session-id"))
    assert.match(await response.text(), /"sum":3/u)
  })

  it("is told what is wrong with its message", async () => {
    const send = async (body: string, type = "application/json") => {
      const response = await bearer(await tokenFor("/mcp"))(`${url}/mcp`, {
        method: "POST",
        headers: { accept: "application/json, text/event-stream", "content-type": type },
        body
      })
      const { error } = (await response.json()) as { readonly error: { readonly code: number } }
      return [response.status, error.code]
    }
    assert.deepEqual(await send("{"), [400, -32700])
    assert.deepEqual(await send("{}", "text/plain"), [415, -32000])
    assert.deepEqual(await send(JSON.stringify({ padding: "x".repeat(1024 * 1024) })), [413, -32000])
  })
})
