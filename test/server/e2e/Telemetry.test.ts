import { assert, layer } from "@effect/vitest"
import { setTimeout as pause } from "node:timers/promises"

import { Collector } from "../../support/Collector.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { legacy, modern } from "../../support/Wire.ts"

const collector = await Collector.start()
const sentence = "a very private picture of a zeppelin"

/** Waits until what was exported satisfies the condition. */
const until = async (isThere: () => boolean) => {
  for (let tries = 0; tries < 100 && !isThere(); tries++) await pause(100)
}

/** A session of a 2025-era client, opened, in which it calls a tool. */
const inSession = async (server: Server, token: string, headers: Record<string, string>) => {
  const post = (body: object, more: Record<string, string>) =>
    fetch(server.mcp, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...more
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...body })
    })
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } }
  const opened = await post({ id: 1, method: "initialize", params }, {})
  await opened.text()
  const session = { "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" }
  await (await post({ method: "notifications/initialized" }, session)).text()
  const call = { name: "paint", arguments: { prompt: sentence } }
  return (await post({ id: 2, method: "tools/call", params: call }, { ...session, ...headers })).text()
}

const traceparent = (traceId: string) => `00-${traceId}-00f067aa0ba902b7-01`

/** Of a trace: the names of its spans, and those whose parent is neither in it nor the client’s. */
const traced = (traceId: string) => {
  const spans = collector.spans.filter((span) => span.traceId === traceId)
  const ids = new Set(["00f067aa0ba902b7", ...spans.map(({ spanId }) => spanId)])
  return {
    names: spans.map(({ name }) => name),
    orphans: spans.filter(({ parentSpanId }) => !ids.has(parentSpanId ?? "")).map(({ name }) => name),
    first: spans.filter(({ parentSpanId }) => parentSpanId === "00f067aa0ba902b7").length,
    spans
  }
}

/** How long calls take, in milliseconds: the one in the middle, and the slowest. */
const timeOf = async (call: () => Promise<unknown>, times = 40) => {
  const took: Array<number> = []
  for (let each = 0; each < times; each++) {
    const from = performance.now()
    await call()
    took.push(performance.now() - from)
  }
  const sorted = took.toSorted((one, other) => one - other)
  return { middle: sorted[Math.floor(times / 2)] ?? Infinity, slowest: sorted.at(-1) ?? Infinity }
}

layer(RunningServer.layerExporting(collector.url))("telemetry", (it) => {
  it.effect(
    "is one trace a tool call, from HTTP through the object to the tool, in both lanes, with nothing personal or secret",
    onServer(async (server) => {
      const { accessToken, refreshToken } = await server.signIn("admin@example.com", { scopes: ["paint:use"] })
      const stateless = "4bf92f3577b34da6a3ce929d0e0e4736"
      const session = "5bf92f3577b34da6a3ce929d0e0e4737"
      await fetch(server.mcp, { method: "POST", body: sentence, headers: { authorization: "Bearer forged" } })
      await modern(
        server.mcp,
        accessToken,
        "tools/call",
        { name: "paint", arguments: { prompt: sentence } },
        { headers: { traceparent: traceparent(stateless) } }
      )
      await inSession(server, accessToken, { traceparent: traceparent(session) })
      await until(() => [stateless, session].every((id) => traced(id).names.includes("POST")))
      await until(() => [stateless, session].every((id) => traced(id).names.includes("tools/call")))

      const expected = ["POST", "Authority.admit", "tools/call", "ToolCall.run"]
      for (const [id, operation] of [
        [stateless, "AccountObject.admit"],
        [session, "AccountObject.post"]
      ] as const) {
        const { names, orphans, first, spans } = traced(id)
        for (const name of [...expected, operation])
          assert.lengthOf(
            names.filter((one) => one === name),
            1,
            `${name} in ${names.join(", ")}`
          )
        assert.deepStrictEqual(orphans, [])
        assert.strictEqual(first, 1)
        for (const { startTimeUnixNano } of spans) {
          assert.closeTo(Number(BigInt(startTimeUnixNano) / 1_000_000n), Date.now(), 60_000)
        }
      }
      const counted = (name: string) => collector.counts.filter((count) => count.name === name)
      await until(() => counted("mcp.calls").length > 1)
      assert.deepInclude(
        counted("mcp.calls").map(({ attributes }) => attributes),
        { method: "tools/call", name: "paint", policy: "allowed", outcome: "completed", client: "registered" }
      )
      for (const name of ["mcp.sign_ins", "mcp.token_requests", "mcp.sessions.opened"]) {
        await until(() => counted(name).length > 0)
        assert.isAtLeast(counted(name).length, 1, name)
      }
      const { clerk } = server
      const everything = collector.received.map(({ body }) => body).join("\n")
      const secrets = [
        accessToken,
        accessToken.split(":")[2] ?? "",
        refreshToken.split(":")[2] ?? "",
        sentence,
        clerk.settings.CLERK_SECRET_KEY,
        ...Object.values(clerk.users).flatMap(({ email, firstName, lastName }) => [email, firstName, lastName])
      ]
      for (const secret of secrets) assert.notInclude(everything, secret)
      assert.notMatch(everything, /code=|state=|Bearer |eyJ[\w-]+\./u)
    })
  )

  it.effect(
    "links a call to the span that its message names",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("member@example.com")
      const named = "6bf92f3577b34da6a3ce929d0e0e4738"
      const _meta = { traceparent: traceparent(named) }
      await legacy(server.mcp, accessToken, "tools/call", { name: "whoAmI", arguments: {}, _meta })
      const linked = () => collector.spans.filter(({ links }) => links.some(({ traceId }) => traceId === named))
      await until(() => linked().length > 0)
      assert.deepStrictEqual(
        linked().map(({ name }) => name),
        ["tools/call"]
      )
    })
  )

  it.effect(
    "costs a caller nothing while the collector hangs, and while it is gone",
    onServer(async (server) => {
      const { accessToken } = await server.signIn("admin@example.com", { scopes: ["paint:use"] })
      const call = () => legacy(server.mcp, accessToken, "tools/call", { name: "whoAmI", arguments: {} })
      await timeOf(call)
      const good = await timeOf(call)
      collector.hangs = true
      const hanging = await timeOf(call)
      assert.isAtLeast(collector.open.size, 1)
      await collector.stop()
      await server.restart()
      const dead = await timeOf(call)
      const told = [good, hanging, dead].map(({ middle, slowest }) => `${middle.toFixed(1)} (${slowest.toFixed(1)})`)
      console.log(`a call takes ${told.join(", ")} ms, the slowest in brackets (good, hanging, dead)`)
      for (const { middle, slowest } of [hanging, dead]) {
        assert.isBelow(middle, Math.max(good.middle, 5) * 3)
        // An export is given up after 3 seconds: no call has waited for one.
        assert.isBelow(slowest, 2_500)
      }
    })
  )
})
