import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { join } from "node:path"

import { freePort } from "../support/FreePort.ts"
import { OAuthClient } from "../support/OAuthClient.ts"
import { Person } from "../support/Person.ts"
import { connectV1, connectV2, Login } from "../support/SdkClients.ts"
import { StartScript } from "../support/StartScript.ts"
import { Tunnel } from "../support/Tunnel.ts"

const guide = readFileSync(join(import.meta.dirname, "../../docs/getting-started.md"), "utf8")

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** What a person reads who was wrong, and not what a programmer reads. */
const refused = async (...flags: ReadonlyArray<string>) => {
  const script = new StartScript(...flags)
  assert.strictEqual(await script.exit, 1, script.printed)
  assert.notMatch(script.printed, /^\s+at |node:|file:/mu)
  return script.printed
}

describe("npm start, where it cannot", () => {
  let taken: Server
  let port = 0
  beforeAll(async () => {
    port = await freePort()
    await new Promise<void>((resolve) => (taken = createServer().listen(port, "localhost", resolve)))
  })
  afterAll(() => void taken.close())

  it("names the flag for another port, without a stack trace", async () => {
    const [worker, clerk] = await Promise.all([
      refused("--port", String(port)),
      refused("--clerk-port", String(port), "--port", String(await freePort()))
    ])
    assert.include(worker, `Port ${port} is taken. Choose another: npm start -- --port ${port + 1}`)
    assert.include(clerk, `Port ${port} is taken. Choose another: npm start -- --clerk-port ${port + 1}`)
  }, 60_000)

  it("says which flag is wrong, and with what", async () => {
    const wrong = [
      [["--public-url", "mcp.example"], '--public-url: "mcp.example"'],
      [["--public-url", "http://mcp.example"], '--public-url: "http://mcp.example"'],
      [["--public-url", "https://mcp.example/mcp"], '--public-url: "https://mcp.example/mcp"'],
      [["--sign-in", "app", "--app-url", "http://127.0.0.1:3000/auth"], '--app-url: "http://127.0.0.1:3000/auth"'],
      [["--app-url", "http://127.0.0.1:3000"], "add --sign-in app"],
      [["--port", "99999"], '--port: "99999"'],
      [["--prot", "9000"], "--prot"]
    ] as const
    const said = await Promise.all(wrong.map(([flags]) => refused(...flags)))
    for (const [index, [, words]] of wrong.entries()) assert.include(said[index], words)
  }, 60_000)
})

const publicUrl = "https://quick-demo.tunnel.example"

/** What workerd and wrangler say when the Worker does what the platform has no place for. */
const complaints = (printed: string) =>
  printed
    .split("\n")
    .filter((line) => /IoContext|IncomingRequest|Uncaught|exception =|internal error|ERROR/u.test(line))

const posted = (method: string, params: object, headers: Readonly<Record<string, string>> = {}): RequestInit => ({
  method: "POST",
  headers: { accept: "application/json, text/event-stream", "content-type": "application/json", ...headers },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
})

const subscription = posted(
  "subscriptions/listen",
  {
    notifications: { toolsListChanged: true },
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "walk", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {}
    }
  },
  { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" }
)

const pictureCall = posted("tools/call", { name: "add", arguments: { a: 1, b: 2 } })

describe("npm start behind a tunnel", () => {
  let script: StartScript
  let tunnel: Tunnel
  let clerk = ""
  const person = (email: string) => new Person({ url: publicUrl, clerk: { url: clerk } }, email)

  beforeAll(async () => {
    const [port, clerkPort] = [await freePort(), await freePort()]
    clerk = `http://localhost:${clerkPort}`
    script = new StartScript("--port", String(port), "--clerk-port", String(clerkPort), "--public-url", publicUrl)
    await script.ready()
    tunnel = await Tunnel.open(publicUrl, port)
    vi.stubGlobal("fetch", tunnel.fetch(fetch))
  })
  afterAll(async () => {
    vi.unstubAllGlobals()
    await tunnel[Symbol.asyncDispose]()
    await script[Symbol.asyncDispose]()
  })

  it("prints the public address, and no other one of the server", () => {
    assert.include(script.printed, `MCP server     ${publicUrl}/mcp`)
    assert.include(script.printed, `claude mcp add --transport http example ${publicUrl}/mcp`)
    assert.include(script.printed, "claude mcp login example")
    assert.deepStrictEqual(
      [...script.printed.matchAll(/https?:\/\/[^\s/]+/gu)]
        .map(([origin]) => origin)
        .filter((origin) => origin !== clerk),
      Array.from({ length: 3 }, () => publicUrl)
    )
  })

  for (const [sdk, connect] of [
    ["1.x", connectV1],
    ["2.x", connectV2({ pin: "2026-07-28" })]
  ] as const) {
    it(`SDK ${sdk} signs in through the public address, lists and calls`, async () => {
      const login = new Login(person("admin@example.com"))
      const client = await connect(`${publicUrl}/mcp`, login)
      assert.strictEqual(login.back?.searchParams.get("iss"), publicUrl)
      assert.include(await client.tools(), "add")
      assert.deepEqual((await client.call("add", { a: 1, b: 2 })).structuredContent, { sum: 3 })
      await client.close()
    })
  }

  it("registers Claude Code by hand as the guide says, for machines without internet", async () => {
    const body = /register --json '([^']+)'/u.exec(guide)?.[1] ?? ""
    const headers = { "content-type": "application/json" }
    const registered = await fetch(`${publicUrl}/register`, { method: "POST", headers, body })
    assert.strictEqual(registered.status, 201)
    const { client_id } = await registered.json<{ readonly client_id: string }>()
    const client = await OAuthClient.register(`${publicUrl}/mcp`)
    const { address } = await client.begin({ client_id, redirect_uri: "http://localhost:7777/callback" })
    const back = await person("member@example.com").authorize(address)
    assert.strictEqual(back.origin + back.pathname, "http://localhost:7777/callback")
    assert.isTrue(back.searchParams.has("code"))
  })

  it("challenges with the public address, and refuses other hosts", async () => {
    const { status, headers } = await fetch(`${publicUrl}/mcp`)
    assert.strictEqual(status, 401)
    assert.include(headers.get("www-authenticate"), `"${publicUrl}/.well-known/oauth-protected-resource/mcp"`)
  })

  it("runs clients that come, hold streams and leave without a complaint of the runtime", async () => {
    const tokenFor = async (path: string) => {
      const client = await OAuthClient.register(`${publicUrl}${path}`)
      const attempt = await client.begin({ scope: "mcp:tools connections:manage" })
      const back = await person("premium@example.com").authorize(attempt.address)
      return (await client.redeem(attempt, back)).access_token
    }
    const [token, sseToken] = [await tokenFor("/mcp"), await tokenFor("/sse")]
    const bearer =
      (held: AbortController, of: string): typeof fetch =>
      (input, init) => {
        const headers = new Headers(init?.headers)
        headers.set("authorization", `Bearer ${of}`)
        return fetch(input, { ...init, headers, signal: held.signal })
      }

    // A session with its own stream, a question that nobody answers, and a client that is gone from one moment to the next.
    const session = new AbortController()
    const transport = new StreamableHTTPClientTransport(new URL(`${publicUrl}/mcp`), { fetch: bearer(session, token) })
    const client = new Client({ name: "walk", version: "1" }, { capabilities: { elicitation: {} } })
    client.setRequestHandler(ElicitRequestSchema, () => new Promise(() => {}))
    await client.connect(transport)
    await client.listTools()
    await client.callTool({ name: "userInfo", arguments: {} })
    const asked = client.callTool({ name: "signOutEverywhere", arguments: {} }).catch(() => "left")
    // The same over /sse.
    const sse = new AbortController()
    const sseClient = new Client({ name: "walk", version: "1" })
    const sseFetch = bearer(sse, sseToken)
    await sseClient.connect(
      // oxlint-disable-next-line typescript/no-deprecated -- what clients of /sse use
      new SSEClientTransport(new URL(`${publicUrl}/sse`), { fetch: sseFetch, eventSourceInit: { fetch: sseFetch } })
    )
    await sseClient.callTool({ name: "add", arguments: { a: 1, b: 2 } })
    // A subscription of the newer era, and calls that are given up.
    const listening = new AbortController()
    await bearer(listening, token)(`${publicUrl}/mcp`, subscription)
    await Promise.all(
      [0, 10, 40].map(async (after) => {
        const given = new AbortController()
        const call = bearer(given, token)(`${publicUrl}/mcp`, pictureCall).catch(() => "left")
        await pause(after)
        given.abort()
        await call
      })
    )
    // Longer than an object stays in memory that has nothing to do but hold sockets.
    await pause(12_000)
    for (const held of [listening, session, sse]) held.abort()
    await Promise.all([client.close(), sseClient.close(), asked])
    await pause(3_000)
    assert.include(script.printed, "POST /mcp 200")
    assert.deepStrictEqual(complaints(script.printed), [])
  }, 60_000)
})
