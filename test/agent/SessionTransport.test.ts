import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server"
import { McpServer } from "@modelcontextprotocol/server"
import { assert, describe, it } from "vitest"

import { McpSessionId } from "../../src/agent/Session.ts"
import { SessionTransport } from "../../src/agent/SessionTransport.ts"

const id = McpSessionId.make("0123456789abcdef0123456789abcdef")

const initialize = {
  protocolVersion: "2025-11-25",
  capabilities: { elicitation: {} },
  clientInfo: { name: "test", version: "1" }
}

/** A server with a tool that asks the client a question, restored from a stored `initialize`. */
const restored = async (epoch: string) => {
  const stored: Array<any> = []
  const store: EventStore = {
    storeEvent: async (_stream, message: JSONRPCMessage) => String(stored.push(message)),
    replayEventsAfter: async () => ""
  }
  const transport = new SessionTransport(id, epoch, store)
  const server = new McpServer({ name: "test", version: "1" }, { capabilities: { tools: {} } })
  server.registerTool("ask", {}, async (ctx) => {
    const answer = await ctx.mcpReq.send({
      method: "elicitation/create",
      params: { message: "Sure?", requestedSchema: { type: "object", properties: {} } }
    })
    return { content: [{ type: "text", text: JSON.stringify(answer) }] }
  })
  await server.connect(transport)
  await transport.restore(initialize, null)
  const ask = () =>
    transport.receive({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "ask", arguments: {} } })
  const question = async () => {
    while (!stored.some(({ method }) => method === "elicitation/create")) await new Promise((go) => setTimeout(go, 5))
    return stored.find(({ method }) => method === "elicitation/create")
  }
  return { transport, stored, ask, question }
}

const accept = (to: unknown, note: string) => ({
  jsonrpc: "2.0",
  id: to,
  result: { action: "accept", content: {}, _meta: { note } }
})

describe("the transport of a session", () => {
  it("keeps its restoring to itself", async () => {
    const { stored, transport } = await restored("one")
    assert.deepEqual(stored, [])
    assert.strictEqual(transport.unanswered, 0)
  })

  it("takes the answer to its question", async () => {
    const { transport, ask, question, stored } = await restored("one")
    const asked = await ask()
    const { id } = await question()
    assert.strictEqual(id, "one:0")
    assert.strictEqual(transport.unanswered, 1)
    assert.strictEqual((await transport.receive(accept(id, "mine"))).status, 202)
    assert.match(await asked.text(), /mine/u)
    assert.strictEqual(stored.at(-1).id, 1)
    assert.strictEqual(transport.unanswered, 0)
  })

  it("drops a late answer to a question of the server before it, though its number comes again", async () => {
    const before = await restored("one")
    await before.ask()
    const late = await before.question()
    const { transport, ask, question } = await restored("two")
    const asked = await ask()
    const { id } = await question()
    for (const foreign of [late.id, 0, "0", "two"]) {
      assert.strictEqual((await transport.receive(accept(foreign, "late"))).status, 202, String(foreign))
    }
    assert.strictEqual(transport.unanswered, 1)
    await transport.receive(accept(id, "mine"))
    const text = await asked.text()
    assert.match(text, /mine/u)
    assert.notMatch(text, /late/u)
  })
})
