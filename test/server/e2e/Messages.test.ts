import { assert, layer } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"

import { readAnywhere, withBreaks } from "../../support/Breaks.ts"
import { OAuthClient } from "../../support/OAuthClient.ts"
import { onServer, once, RunningServer, type Server } from "../../support/RunningServer.ts"
import { connectV1, connectV2, Login } from "../../support/SdkClients.ts"
import { legacy, modern, post, type Reply } from "../../support/Wire.ts"

type Params = Readonly<Record<string, unknown>>
type Ask = (method: string, params: Params) => Promise<Pick<Reply, "result" | "error">>

const client = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "wire", version: "1" } }
const introduce = { name: "introduce", arguments: { audience: withBreaks } }

const inSession = (id: string) => ({ headers: { "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" } })

/** A session of `/sse`, of the official client: what it sends and hears, as it stands on the wire. */
const openSse = async (server: Server) => {
  const registered = await OAuthClient.register(`${server.url}/sse`)
  const { accessToken } = await server.signIn("member@example.com", { client: registered })
  const streams: Array<Promise<ReadableStreamDefaultReader<Uint8Array> | undefined>> = []
  const authorized: typeof fetch = async (input, init) => {
    const headers = { ...Object.fromEntries(new Headers(init?.headers)), authorization: `Bearer ${accessToken}` }
    const response = await fetch(input, { ...init, headers })
    if (init?.method === "POST" || !response.ok) return response
    const [one, other] = response.body?.tee() ?? []
    streams.push(Promise.resolve(other?.getReader()))
    return new Response(one, response)
  }
  // oxlint-disable-next-line typescript/no-deprecated -- clients that still have nothing else are what /sse is for
  const transport = new SSEClientTransport(new URL(`${server.url}/sse`), { fetch: authorized })
  await new Client({ name: "sdk-v1", version: "1" }).connect(transport)
  let lastId = 1_000
  const ask: Ask = (method, params) => {
    const id = ++lastId
    return new Promise((resolve, reject) => {
      // It is no event target.
      // oxlint-disable-next-line unicorn/prefer-add-event-listener
      transport.onmessage = (message: JSONRPCMessage) => {
        if ("id" in message && message.id === id) resolve(message as unknown as Reply)
      }
      transport.send({ jsonrpc: "2.0", id, method, params }).catch(reject)
    })
  }
  return { ask, transport, accessToken, reader: await streams[0] }
}

const lanes = once(async (server) => {
  const { accessToken: token } = await server.signIn("member@example.com")
  const { headers } = await legacy(server.mcp, token, "initialize", client)
  const session = headers.get("mcp-session-id") ?? ""
  const sse = await openSse(server)
  const ask: Readonly<Record<string, Ask>> = {
    "2025 era": (method, params) => legacy(server.mcp, token, method, params),
    session: (method, params) => legacy(server.mcp, token, method, params, inSession(session)),
    "/sse": sse.ask,
    "2026-07-28": (method, params) => modern(server.mcp, token, method, params)
  }
  return { token, session, sse, ask }
})

const everywhere = ["2025 era", "session", "/sse", "2026-07-28"]
const with2025 = ["2025 era", "session", "/sse"]

/** Parameters of the wrong type, the words that name them, and where the method is served. */
const wrong: ReadonlyArray<readonly [method: string, params: Params, words: RegExp, lanes?: ReadonlyArray<string>]> = [
  ["tools/list", { cursor: 5 }, /cursor: expected string, received number/u],
  ["tools/list", { cursor: "page-2" }, /Invalid cursor/u],
  ["resources/list", { cursor: {} }, /cursor: expected string, received object/u],
  ["resources/list", { cursor: "page-2" }, /Invalid cursor/u],
  ["resources/templates/list", { cursor: null }, /cursor: expected string, received null/u],
  ["prompts/list", { cursor: [] }, /cursor: expected string, received array/u],
  ["tools/call", { name: 5 }, /name: expected string, received number/u],
  ["tools/call", { name: "sum", arguments: null }, /arguments: expected record, received null/u],
  ["tools/call", { name: "sum", arguments: "a" }, /arguments: expected record, received string/u],
  ["prompts/get", { name: {} }, /name: expected string, received object/u],
  ["prompts/get", { name: "introduce", arguments: { audience: 5 } }, /arguments\.audience: expected string/u],
  ["prompts/get", { name: "introduce", arguments: {} }, /Missing key at \["audience"\]/u],
  ["resources/read", { uri: 7 }, /uri: expected string, received number/u],
  ["resources/read", { uri: "nowhere" }, /Resource URI nowhere is invalid/u],
  [
    "completion/complete",
    { ref: { type: "ref/x" } },
    /ref: type: expected "ref\/prompt" or .*argument: expected object/u
  ],
  [
    "completion/complete",
    { ref: { type: "ref/prompt", name: "introduce" }, argument: { name: "audience", value: 5 } },
    /argument\.value: expected string/u
  ],
  ["logging/setLevel", { level: "loud" }, /level: .*"debug"\|"info"/u, with2025],
  ["logging/setLevel", {}, /level: .*"debug"\|"info"/u, with2025],
  ["initialize", { ...client, protocolVersion: 5 }, /protocolVersion: expected string/u, ["2025 era"]],
  ["subscriptions/listen", { notifications: 5 }, /'notifications' is required/u, ["2026-07-28"]]
]

layer(RunningServer.layer)("messages", (it) => {
  it.effect(
    "parameters of the wrong type are the client's fault and told in words, whatever the method and the lane",
    onServer(async (server) => {
      const { ask } = await lanes(server)
      for (const [method, params, words, served = everywhere] of wrong) {
        for (const lane of served) {
          const { error, result } = (await ask[lane]?.(method, params)) ?? {}
          const at = `${method} ${JSON.stringify(params)} ${lane}`
          assert.isUndefined(result, at)
          assert.strictEqual(error?.code, -32_602, at)
          assert.match(error?.message ?? "", words, at)
          assert.notInclude(error?.message, '"path"', at)
        }
      }
    })
  )

  it.effect(
    "what is no message is refused in words, with its id where it has one",
    onServer(async (server) => {
      const { token, session } = await lanes(server)
      const message = (rest: Params) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", ...rest })
      const refused: ReadonlyArray<readonly [body: string, code: number, words: RegExp, id?: number]> = [
        [message({ params: [1] }), -32_602, /params: expected object, received array/u, 1],
        [message({ params: null }), -32_602, /params: expected object, received null/u, 1],
        [message({ params: { _meta: 5 } }), -32_602, /_meta: expected object, received number/u, 1],
        [message({ params: { _meta: { progressToken: {} } } }), -32_602, /_meta\.progressToken: /u, 1],
        [message({ id: null }), -32_600, /id: expected string.* or expected number/u],
        [message({ id: 1.5 }), -32_600, /id: /u],
        [message({ id: {} }), -32_600, /id: /u],
        [message({}).replace('"id":1', '"id":12345678901234567890'), -32_600, /id: Too big/u],
        [message({}).replace('"id":1', '"id":1e400'), -32_600, /id: /u],
        [message({ jsonrpc: "1.0" }), -32_600, /jsonrpc: expected "2.0"/u, 1],
        [message({ method: 5 }), -32_600, /method: expected string/u, 1],
        ['{"jsonrpc":"2.0","id":1}', -32_600, /result: expected object/u, 1],
        ["[]", -32_600, /a batch holds a message or more/u],
        [`[${message({})},1]`, -32_600, /a message is a JSON object/u],
        ["null", -32_600, /a message is a JSON object/u],
        ['{"jsonrpc":', -32_700, /Parse error/u]
      ]
      for (const headers of [{}, { "mcp-session-id": session }]) {
        for (const [body, code, words, id = null] of refused) {
          const { status, error, text } = await post(server.mcp, token, body, { headers })
          assert.deepStrictEqual([status, error?.code], [400, code], body)
          assert.match(error?.message ?? "", words, body)
          // A number that JSON can say and JavaScript cannot comes back as another one, or not at all.
          if (!body.includes("123456") && !body.includes("1.5")) assert.strictEqual(JSON.parse(text).id, id, body)
        }
      }
      const notified = await post(server.mcp, token, '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}')
      assert.deepStrictEqual([notified.status, notified.text], [202, ""])
    })
  )

  it.effect(
    "an initialize that lacks something is told what it lacks, on both wires",
    onServer(async (server) => {
      const { token, sse } = await lanes(server)
      const { clientInfo, ...nameless } = client
      const wrong: ReadonlyArray<readonly [params: Params | undefined, words: RegExp]> = [
        [nameless, /clientInfo: expected object, received undefined/u],
        [{ ...client, clientInfo: null }, /clientInfo: expected object, received null/u],
        [{ ...client, clientInfo: { ...clientInfo, name: null } }, /clientInfo\.name: expected string, received null/u],
        [{ ...client, clientInfo: { name: "wire" } }, /clientInfo\.version: expected string/u],
        [{ ...client, clientInfo: { ...clientInfo, title: null } }, /clientInfo\.title: expected string/u],
        [{ ...client, capabilities: null }, /capabilities: expected object, received null/u],
        [{ ...client, capabilities: { elicitation: 5 } }, /capabilities\.elicitation: expected object/u],
        [{ ...client, protocolVersion: undefined }, /protocolVersion: expected string, received undefined/u],
        [{ ...client, protocolVersion: 5 }, /protocolVersion: expected string, received number/u],
        [undefined, /params: expected object, received undefined/u]
      ]
      for (const [params, words] of wrong) {
        const body = { jsonrpc: "2.0", id: 1, method: "initialize", params }
        const { status, error, headers } = await post(server.mcp, token, body)
        assert.deepStrictEqual([status, error?.code], [400, -32_602], JSON.stringify(params))
        assert.match(error?.message ?? "", words)
        assert.isNull(headers.get("mcp-session-id"))
        if (params === undefined) continue
        const onSse = await sse.ask("initialize", params).catch((error: unknown) => String(error))
        assert.match(JSON.stringify(onSse), /-32602/u)
      }
    })
  )

  it.effect(
    "numbers, keys and texts that JSON has and JavaScript has not are handled, not refused as JSON",
    onServer(async (server) => {
      const { token, session } = await lanes(server)
      const call = (args: string, headers: Record<string, string>) => {
        const params = `{"name":"sum","arguments":${args}}`
        const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`
        return post(server.mcp, token, body, { headers })
      }
      for (const headers of [{}, { "mcp-session-id": session }]) {
        const infinite = await call('{"a":1e400,"b":1}', headers)
        assert.isTrue(infinite.result?.["isError"])
        assert.match(JSON.stringify(infinite.result), /Wrong arguments for sum: Expected a finite number/u)
        const large = await call('{"a":12345678901234567890,"b":0}', headers)
        assert.deepStrictEqual(large.result?.["structuredContent"], { sum: Number("12345678901234567890") })
        const repeated = await call('{"a":5,"a":6,"b":1,"__proto__":{"b":9}}', headers)
        assert.deepStrictEqual(repeated.result?.["structuredContent"], { sum: 7 })
        const inherited = await call('{"a":5,"__proto__":{"b":9}}', headers)
        assert.match(JSON.stringify(inherited.result), /Missing key/u)
        const params = { name: "introduce", arguments: { audience: "half \ud83d" } }
        const { result } = await legacy(server.mcp, token, "prompts/get", params, { headers })
        assert.include(JSON.stringify(result), "half \\ud83d")
      }
    })
  )

  it.effect(
    "messages of up to 128 levels are served, and deeper ones refused in words, on every way in",
    onServer(async (server) => {
      const { token, session, sse } = await lanes(server)
      const nested = (levels: number, brackets = "[]") =>
        brackets.charAt(0).repeat(levels) + brackets.charAt(1).repeat(levels)
      const at = (levels: number) => ({ ...client, capabilities: { experimental: { x: { deep: "DEEP" } } }, levels })
      const initialize = (levels: number) =>
        JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: at(levels) }).replace(
          '"DEEP"',
          nested(levels)
        )
      const envelope = (levels: number) =>
        JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/list",
          params: {
            _meta: {
              "io.modelcontextprotocol/protocolVersion": "2026-07-28",
              "io.modelcontextprotocol/clientCapabilities": { experimental: { x: { deep: "DEEP" } } }
            }
          }
        }).replace('"DEEP"', nested(levels))
      const asModern = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" }
      assert.strictEqual((await post(server.mcp, token, initialize(123))).status, 200)
      assert.strictEqual((await post(server.mcp, token, envelope(122), { headers: asModern })).status, 200)
      // Brackets in a text are no levels.
      const inText = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping", params: { x: `\\"${nested(500)}` } })
      assert.strictEqual((await post(server.mcp, token, inText)).status, 200)
      const message = new URL("/sse/message", server.url)
      for (const levels of [124, 2_000, 5_000, 500_000]) {
        for (const [address, holder, body, headers] of [
          [server.mcp, token, initialize(levels), {}],
          [server.mcp, token, initialize(levels), { "mcp-session-id": session }],
          [server.mcp, token, envelope(levels), asModern],
          [server.mcp, token, nested(levels + 5), {}],
          [message.href, sse.accessToken, initialize(levels), {}]
        ] as const) {
          const { status, error } = await post(address, holder, body, { headers })
          assert.deepStrictEqual([status, error?.code], [400, -32_600])
          assert.match(error?.message ?? "", /a message may be nested 128 levels deep/u)
        }
      }
    })
  )

  it.effect(
    "no event holds a character at which a client could end a line, on any stream",
    onServer(async (server) => {
      const { token, session, sse } = await lanes(server)
      const check = (stream: string) => {
        assert.notMatch(stream, /[\u0085\u2028\u2029]/u)
        const read = readAnywhere(stream)
        assert.include(JSON.stringify(read), withBreaks)
      }
      check((await legacy(server.mcp, token, "prompts/get", introduce)).text)
      const asked = await legacy(server.mcp, token, "prompts/get", introduce, inSession(session))
      check(asked.text)
      const [, first = ""] = /^id: (.+)$/mu.exec(asked.text) ?? []
      const headers = { ...inSession(session).headers, authorization: `Bearer ${token}`, "last-event-id": first }
      const resumed = await fetch(server.mcp, { headers: { ...headers, accept: "text/event-stream" } })
      check(await resumed.text())
      await sse.ask("prompts/get", introduce)
      let heard = ""
      const decoder = new TextDecoder()
      while (!heard.includes("before")) {
        const { value } = (await sse.reader?.read()) ?? {}
        heard += decoder.decode(value, { stream: true })
      }
      check(heard)
    })
  )

  for (const [generation, connect] of [
    ["1.x", connectV1],
    ["2.x", connectV2("auto")]
  ] as const) {
    it.effect(
      `SDK ${generation} gets such a text as it was`,
      onServer(async (server) => {
        const connected = await connect(server.mcp, new Login(server.person("member@example.com")))
        assert.include(JSON.stringify(await connected.prompt("introduce", introduce.arguments)), withBreaks)
        await connected.close()
      })
    )
  }
})
