import { assert, layer } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"

import { RunningServer } from "../../support/RunningServer.ts"

/** The status of a call that every token with the baseline scope may make, and its answer. */
const ping = (worker: string, token: string, accept = "application/json, text/event-stream") =>
  Effect.promise(async () => {
    const response = await fetch(`${worker}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json", accept, authorization: `Bearer ${token}` },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} })
    })
    return { status: response.status, type: response.headers.get("content-type"), body: await response.text() }
  })

/** Opens a session and its stream. */
const sessionStream = (worker: string, token: string) =>
  Effect.promise(async () => {
    const headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${token}`
    }
    const clientInfo = { name: "listener", version: "1" }
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo }
    const body = JSON.stringify({ jsonrpc: "2.0", id: 0, method: "initialize", params })
    const opened = await fetch(`${worker}/mcp`, { method: "POST", headers, body })
    await opened.text()
    const id = opened.headers.get("mcp-session-id") ?? ""
    const stream = await fetch(`${worker}/mcp`, { headers: { ...headers, "mcp-session-id": id } })
    assert.strictEqual(stream.status, 200)
    let open = true
    const read = (async () => {
      try {
        await stream.text()
        open = false
      } catch {
        // Cut off with the Worker, after the test.
      }
    })()
    return { isOpen: () => open, over: Effect.promise(() => read) }
  })

layer(RunningServer.layer)("a tool that ends grants", (it) => {
  it.effect("ends a person's other connections with their sessions, and nobody else's", () =>
    Effect.gen(function* () {
      const server = yield* RunningServer
      const signIn = (email: string, ...scopes: ReadonlyArray<string>) =>
        Effect.promise(async () => (await server.signIn(email, { scopes })).accessToken)
      const stranger = yield* signIn("premium@example.com")

      // Asked between two calls, and in the middle of one, which takes a session.
      for (const [mode, count] of [
        ["auto", 2],
        ["legacy", 3]
      ] as const) {
        const mine = yield* signIn("member@example.com", "grants:end")
        const others = [yield* signIn("member@example.com"), yield* signIn("member@example.com")]
        const ended = yield* Effect.all(others.map((token) => sessionStream(server.url, token)))
        const kept = yield* Effect.all([mine, stranger].map((token) => sessionStream(server.url, token)))

        const questions: Array<string> = []
        const client = new Client(
          { name: "asked", version: "1" },
          { capabilities: { elicitation: {} }, versionNegotiation: { mode } }
        )
        client.setRequestHandler("elicitation/create", ({ params }) => {
          questions.push(params.message)
          return { action: "accept", content: { end: true } }
        })
        const transport = new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), {
          requestInit: { headers: { authorization: `Bearer ${mine}` } }
        })
        yield* Effect.promise(() => client.connect(transport))
        const { structuredContent } = yield* Effect.promise(() => client.callTool({ name: "endOthers" }))
        assert.deepEqual(structuredContent, { ended: count, confirmed: true })
        assert.deepEqual(questions, [`End ${count}?`])
        yield* Effect.promise(() => client.close())

        for (const token of others) assert.strictEqual((yield* ping(server.url, token)).status, 401)
        for (const token of [mine, stranger]) assert.strictEqual((yield* ping(server.url, token)).status, 200)
        yield* Effect.all(ended.map(({ over }) => over))
        for (const { isOpen } of ended) assert.isFalse(isOpen())
        for (const { isOpen } of kept) assert.isTrue(isOpen())
      }
      for (const accept of ["*/*", "application/json"]) {
        const { status, type, body } = yield* ping(server.url, stranger, accept)
        assert.strictEqual(status, 200, accept)
        assert.strictEqual(type, accept === "*/*" ? "text/event-stream" : "application/json")
        assert.include(body, "endOthers")
      }
    })
  )
})
