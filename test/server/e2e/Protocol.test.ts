import { assert, layer } from "@effect/vitest"

import { onServer, RunningServer } from "../../support/RunningServer.ts"
import { challengeOf, legacy, modern } from "../../support/Wire.ts"

const image = { name: "paint", arguments: { prompt: "a harbour" } }

const meta = (version: string) => ({
  "io.modelcontextprotocol/protocolVersion": version,
  "io.modelcontextprotocol/clientInfo": { name: "wire", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {}
})

layer(RunningServer.layer)("protocol", (it) => {
  it.effect(
    "2026-07-28: discovery names the version and what is offered",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      const { status, result } = await modern(server.mcp, accessToken, "server/discover")
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(result?.["supportedVersions"], ["2026-07-28"])
      assert.hasAllKeys(result?.["capabilities"], ["tools", "resources", "prompts", "completions", "logging"])
      assert.strictEqual(result?.["cacheScope"], "private")
    })
  )

  it.effect(
    "2026-07-28: what depends on the user is cached by nobody else, and not for long",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      for (const method of ["tools/list", "resources/list", "prompts/list"]) {
        const { result } = await modern(server.mcp, accessToken, method)
        assert.strictEqual(result?.["cacheScope"], "private", method)
        assert.strictEqual(result?.["ttlMs"], 60_000, method)
      }
      const { result } = await modern(server.mcp, accessToken, "resources/read", { uri: "fixture://me" })
      assert.strictEqual(result?.["cacheScope"], "private")
      assert.isAtMost(Number(result?.["ttlMs"]), 60_000)
    })
  )

  it.effect(
    "2026-07-28: headers that are missing or contradict the body are refused with -32020",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      const add = { name: "sum", arguments: { a: 1, b: 2 } }
      const wrong: ReadonlyArray<Readonly<Record<string, string | undefined>>> = [
        { "mcp-protocol-version": undefined },
        { "mcp-method": undefined },
        { "mcp-method": "tools/list" },
        { "mcp-name": undefined },
        { "mcp-name": "paint" }
      ]
      for (const headers of wrong) {
        const { status, error } = await modern(server.mcp, accessToken, "tools/call", add, { headers })
        assert.deepStrictEqual([status, error?.code], [400, -32_020], JSON.stringify(headers))
      }
      const right = await modern(server.mcp, accessToken, "tools/call", add)
      assert.deepStrictEqual([right.status, right.result?.["structuredContent"]], [200, { sum: 3 }])
    })
  )

  it.effect(
    "2026-07-28: another version is refused with -32022 and the versions that are spoken",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      const call = { headers: { "mcp-protocol-version": "2031-01-01" }, meta: meta("2031-01-01") }
      const { status, error } = await modern(server.mcp, accessToken, "tools/list", {}, call)
      assert.deepStrictEqual([status, error?.code], [400, -32_022])
      assert.deepStrictEqual(error?.data, { supported: ["2026-07-28"], requested: "2031-01-01" })
    })
  )

  it.effect(
    "2026-07-28: unknown and removed methods are 404 with -32601; a bare envelope is -32602",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      for (const method of ["tools/fly", "initialize", "ping", "logging/setLevel"]) {
        const { status, error } = await modern(server.mcp, accessToken, method)
        assert.deepStrictEqual([status, error?.code], [404, -32_601], method)
      }
      const bare = { meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } }
      const { status, error } = await modern(server.mcp, accessToken, "tools/list", {}, bare)
      assert.deepStrictEqual([status, error?.code], [400, -32_602])
    })
  )

  it.effect(
    "a token changes nothing about methods: GET and DELETE are 405, in both eras",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      for (const method of ["GET", "DELETE"]) {
        for (const version of ["2025-11-25", "2026-07-28"]) {
          const headers = { authorization: `Bearer ${accessToken}`, "mcp-protocol-version": version }
          const response = await fetch(server.mcp, { method, headers })
          assert.strictEqual(response.status, 405, `${method} ${version}`)
          assert.match(response.headers.get("allow") ?? "", /\bPOST\b/u)
        }
      }
    })
  )

  it.effect(
    "2025 era: neither the version header nor text/event-stream is insisted on",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      for (const accept of ["*/*", "application/json", "application/json, text/event-stream"]) {
        const { status, result } = await legacy(server.mcp, accessToken, "tools/list", {}, { headers: { accept } })
        assert.strictEqual(status, 200, accept)
        assert.lengthOf(result?.["tools"] as ReadonlyArray<unknown>, 3, accept)
      }
    })
  )

  for (const [era, send] of [
    ["2025 era", legacy],
    ["2026-07-28", modern]
  ] as const) {
    it.effect(
      `${era}: a call that lacks a scope is 403 with the whole set to ask for, and works after stepping up`,
      onServer(async (server) => {
        const { accessToken, client, person } = await server.signIn("admin@example.com")
        const refused = await send(server.mcp, accessToken, "tools/call", image)
        assert.strictEqual(refused.status, 403)
        const challenge = challengeOf(refused.headers)
        assert.strictEqual(challenge["error"], "insufficient_scope")
        assert.strictEqual(challenge["scope"], "mcp:tools paint:use")
        assert.strictEqual(challenge["resource_metadata"], `${server.url}/.well-known/oauth-protected-resource/mcp`)
        assert.isUndefined(refused.result)
        const tools = (await send(server.mcp, accessToken, "tools/list")).result?.["tools"]
        assert.include(JSON.stringify(tools), '"paint"')

        const request = { scope: challenge["scope"] }
        const stepped = await server.signIn("admin@example.com", { client, person, request })
        assert.strictEqual(stepped.tokens.scope, "mcp:tools paint:use")
        const { status, result } = await send(server.mcp, stepped.accessToken, "tools/call", image)
        assert.deepStrictEqual([status, result?.["isError"] ?? false], [200, false])
        // What the first token may do has not grown with it.
        assert.strictEqual((await send(server.mcp, accessToken, "tools/call", image)).status, 403)
      })
    )

    it.effect(
      `${era}: whoever lacks the role is told so, and is not sent to step up`,
      onServer(async (server) => {
        const { accessToken } = await server.signIn("member@example.com")
        const { status, result } = await send(server.mcp, accessToken, "tools/call", image)
        assert.strictEqual(status, 200)
        assert.isTrue(result?.["isError"])
        const { content: contents } = result as unknown as { readonly content: ReadonlyArray<Record<string, string>> }
        const [content = {}, ...others] = contents
        assert.deepStrictEqual([content["type"], others], ["text", []])
        assert.match(
          content["text"] ?? "",
          /^Your account may not use this\. It needs one of: role admin, role premium, role image_generation\. Reference [A-Z2-9]{8}$/u
        )
      })
    )

    it.effect(
      `${era}: wrong arguments, unknown tools and failures of a tool have their own answers`,
      onServer(async (server) => {
        const { accessToken } = await server.signIn("member@example.com")
        const call = (name: string, args: unknown) =>
          send(server.mcp, accessToken, "tools/call", { name, arguments: args })
        const wrong = await call("sum", { a: "1", c: 2 })
        assert.isTrue(wrong.result?.["isError"])
        assert.match(JSON.stringify(wrong.result?.["content"]), /Wrong arguments for sum: /u)
        const unknown = await call("fly", {})
        assert.deepStrictEqual([unknown.status, unknown.error?.code], [200, -32_602])
        const failed = await call("sum", { a: 1e308, b: 1e308 })
        assert.isTrue(failed.result?.["isError"])
        assert.match(JSON.stringify(failed.result?.["content"]), /The sum is too large/u)
        const missing = await send(server.mcp, accessToken, "resources/read", { uri: "user://somebody" })
        assert.strictEqual(missing.error?.code, -32_602)
        const prompt = await send(server.mcp, accessToken, "prompts/get", { name: "introduce", arguments: {} })
        assert.strictEqual(prompt.error?.code, -32_602)
      })
    )
  }

  it.effect(
    "progress is told on the stream of the call, to clients that ask for it only",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("artist@example.com", { scopes: ["paint:use"] })
      const asked = { meta: { ...meta("2026-07-28"), progressToken: "p-1" } }
      const told = await modern(server.mcp, accessToken, "tools/call", image, asked)
      assert.match(told.headers.get("content-type") ?? "", /^text\/event-stream/u)
      assert.strictEqual(told.headers.get("x-accel-buffering"), "no")
      assert.deepStrictEqual(
        told.notifications.map(({ method, params }) => [method, params["progressToken"], params["progress"]]),
        [1, 2, 3, 4].map((step) => ["notifications/progress", "p-1", step])
      )
      const silent = await modern(server.mcp, accessToken, "tools/call", image)
      assert.lengthOf(silent.notifications, 0)
      assert.notOk(silent.result?.["isError"])
    })
  )

  it.effect(
    "a client that leaves in the middle of a call harms nobody",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("artist@example.com", { scopes: ["paint:use"] })
      const before = server.logs().length
      const long = { ...image, arguments: { ...image.arguments, steps: 8 } }
      const asked = { meta: { ...meta("2026-07-28"), progressToken: 1 }, signal: AbortSignal.timeout(120) }
      const left = await modern(server.mcp, accessToken, "tools/call", long, asked).then(
        () => "answered",
        (error: unknown) => (error instanceof Error ? error.name : "other")
      )
      assert.strictEqual(left, "TimeoutError")
      const next = await modern(server.mcp, accessToken, "tools/call", { name: "sum", arguments: { a: 1, b: 1 } })
      assert.deepStrictEqual(next.result?.["structuredContent"], { sum: 2 })
      assert.deepStrictEqual(
        server
          .logs()
          .slice(before)
          .filter((line) => line.includes('"ERROR"')),
        []
      )
    })
  )
})
