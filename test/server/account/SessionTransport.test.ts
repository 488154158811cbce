import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/server"
import { McpServer } from "@modelcontextprotocol/server"
import { assert, describe, it } from "vitest"

import { type Question, PendingQuestions } from "../../../src/server/account/PendingQuestions.ts"
import { SessionId } from "../../../src/server/account/Session.ts"
import { type Outlet, SessionTransport } from "../../../src/server/account/SessionTransport.ts"
import { ClientId } from "../../../src/server/domain/Principal.ts"

const id = SessionId.make("0123456789abcdef0123456789abcdef")

const initialize = {
  protocolVersion: "2025-11-25",
  capabilities: { elicitation: {} },
  clientInfo: { name: "test", version: "1" }
}

/** A server with a tool that asks the client a question, and one that waits, restored from a stored `initialize`. */
const restored = async (epoch: string) => {
  const stored: Array<any> = []
  const unsent: Array<unknown> = []
  const later: Array<() => void> = []
  const storage = { storing: () => Promise.resolve() }
  const open = new Set<RequestId>()
  const outlet: Outlet = {
    only: undefined,
    opened: (_stream, requests) => requests.forEach((id) => open.add(id)),
    dropped: (id) => open.delete(id),
    storeEvent: async (_stream, message: JSONRPCMessage) => {
      await storage.storing()
      return String(stored.push(message))
    },
    replayEventsAfter: async () => ""
  }
  const questions = new PendingQuestions()
  const asking = {
    open: (question: Question) => questions.open(question, { session: id, clientId: ClientId.make("client") }),
    close: (question: Question) => questions.close(question),
    later: (check: () => void) => void later.push(check),
    isListening: () => false
  }
  const transport = new SessionTransport(id, epoch, outlet, (error) => unsent.push(error), asking)
  const server = new McpServer({ name: "test", version: "1" }, { capabilities: { tools: {} } })
  server.registerTool("ask", {}, async (ctx) => {
    const answer = await ctx.mcpReq.send({
      method: "elicitation/create",
      params: { message: "Sure?", requestedSchema: { type: "object", properties: {} } }
    })
    return { content: [{ type: "text", text: JSON.stringify(answer) }] }
  })
  server.registerTool("wait", {}, async () => {
    await new Promise((go) => setTimeout(go, 20))
    return { content: [] }
  })
  await server.connect(transport)
  await transport.restore(initialize, null)
  const ask = () =>
    transport.receive({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "ask", arguments: {} } })
  const question = async () => {
    while (!stored.some(({ method }) => method === "elicitation/create")) await new Promise((go) => setTimeout(go, 5))
    return stored.find(({ method }) => method === "elicitation/create")
  }
  return { transport, stored, open, unsent, storage, later, ask, question }
}

const until = async (check: () => boolean) => {
  for (let tries = 0; !check() && tries < 100; tries++) await new Promise((go) => setTimeout(go, 10))
  assert.isTrue(check())
}

const accept = (to: unknown, note: string) => ({
  jsonrpc: "2.0",
  id: to,
  result: { action: "accept", content: {}, _meta: { note } }
})

const call = (id: number, name = "wait") => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name } })

const cancel = (requestId: number) => ({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } })

const answered = (text: string) => [...text.matchAll(/^data: .*"id":(\d+)/gmu)].map(([, id]) => Number(id))

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

  it("ends what waits for the answer of a client that has left, and does not come back in time", async () => {
    const { transport, ask, question, stored, later } = await restored("one")
    const asked = await ask()
    await question()
    assert.deepEqual([transport.unanswered, transport.working, transport.isAttended], [1, 0, true])
    assert.lengthOf(later, 0)
    await asked.body?.cancel()
    assert.isFalse(transport.isAttended)
    const back = await transport.resume("1", "2025-11-25")
    assert.isTrue(transport.isAttended)
    later.shift()?.()
    assert.strictEqual(transport.unanswered, 1)
    await back.body?.cancel()
    later.shift()?.()
    await until(() => transport.unanswered === 0)
    assert.deepEqual(stored.at(-1), {
      jsonrpc: "2.0",
      id: 1,
      error: { code: -32000, message: "The client left before it answered a question" }
    })
  })

  it("ends what is asked of a client that left before", async () => {
    const { transport, ask, question, later } = await restored("one")
    const asked = ask()
    await (await asked).body?.cancel()
    await question()
    await until(() => later.length > 0)
    later.shift()?.()
    await until(() => transport.unanswered === 0)
  })

  it("refuses a late answer to a question of the server before it, though its number comes again", async () => {
    const before = await restored("one")
    await before.ask()
    const late = await before.question()
    const { transport, ask, question } = await restored("two")
    const asked = await ask()
    const { id } = await question()
    for (const foreign of [late.id, 0, "0", "two"]) {
      const refused = await transport.receive(accept(foreign, "late"))
      assert.strictEqual(refused.status, 400, String(foreign))
      assert.include(await refused.text(), "nobody waits for it any more")
    }
    assert.strictEqual(transport.unanswered, 1)
    await transport.receive(accept(id, "mine"))
    const text = await asked.text()
    assert.match(text, /mine/u)
    assert.notMatch(text, /late/u)
    assert.strictEqual((await transport.receive(accept(id, "once more"))).status, 400)
  })

  it("tells a request from those that are unanswered, and from those that came with it", async () => {
    const { transport } = await restored("one")
    assert.isTrue(transport.distinguishes([1, 2, "1"]))
    assert.isFalse(transport.distinguishes([1, 1]))
    const answer = await transport.receive([call(1), call(2, "ask")])
    assert.isFalse(transport.distinguishes([1]))
    await new Promise((go) => setTimeout(go, 50))
    assert.strictEqual(transport.unanswered, 1)
    // Its stream is open still, and the SDK would take another answer of that id for the one that it waits for.
    assert.isFalse(transport.distinguishes([1]))
    await transport.receive(cancel(2))
    await answer.text()
    assert.isTrue(transport.distinguishes([1, 2]))
  })

  it("counts a request as unanswered until its answer is stored", async () => {
    const { transport, storage } = await restored("one")
    let stored = () => {}
    const answer = await transport.receive(call(1))
    storage.storing = () => new Promise((resolve) => (stored = resolve))
    await new Promise((go) => setTimeout(go, 50))
    assert.strictEqual(transport.unanswered, 1)
    await transport.receive(cancel(1))
    stored()
    assert.deepEqual(answered(await answer.text()), [1])
    assert.strictEqual(transport.unanswered, 0)
  })

  it("does not count a request that it refused, or could not take", async () => {
    const { transport } = await restored("one")
    const refused = await transport.receive(call(1), { protocolVersion: "1999-01-01" })
    assert.strictEqual(refused.status, 400)
    assert.strictEqual(transport.unanswered, 0)
    transport.handleRequest = () => Promise.reject(new Error("no memory"))
    const failed = await transport.receive(call(1)).catch((error: unknown) => error)
    assert.instanceOf(failed, Error)
    assert.strictEqual(transport.unanswered, 0)
  })

  it("ends the stream of an answer that could not be stored, and says so to the server", async () => {
    const { transport, storage, unsent } = await restored("one")
    const answer = await transport.receive(call(1))
    storage.storing = () => Promise.reject(new Error("the disk is full"))
    assert.deepEqual(answered(await answer.text()), [])
    assert.match(String(unsent), /the disk is full/u)
    assert.strictEqual(transport.unanswered, 0)
  })

  it("says which requests are open as soon as their stream can be resumed", async () => {
    const { transport, open, question } = await restored("one")
    const early = { protocolVersion: "2025-06-18" }
    await (await transport.receive(call(1), early)).text()
    await transport.receive(call(2, "ask"), early)
    await question()
    const [primed] = [await transport.receive([call(3), call(4)], { protocolVersion: "2025-11-25" })]
    assert.sameMembers([...open], [2, 3, 4])
    await primed.text()
  })

  it("neither stores nor sends an answer to a cancelled request", async () => {
    const { transport, stored, open, question } = await restored("one")
    const answer = await transport.receive(call(1, "ask"), { protocolVersion: "2025-11-25" })
    assert.sameMembers([...open], [1])
    const { id } = await question()
    await transport.receive(cancel(1))
    assert.deepEqual(answered(await answer.text()), [])
    assert.isFalse(stored.some((message) => message.id === 1))
    assert.strictEqual((await transport.receive(accept(id, "late"))).status, 400)
    assert.isEmpty([...open])
    assert.isFalse(transport.answers(1))
  })

  it("keeps the stream of a batch open when one of its requests is cancelled", async () => {
    const { transport } = await restored("one")
    const answer = await transport.receive([call(1, "ask"), call(2)])
    await transport.receive(cancel(1))
    assert.includeMembers(answered(await answer.text()), [2])
    const [first] = [await transport.receive([call(1, "ask"), call(2)])]
    await new Promise((go) => setTimeout(go, 50))
    await transport.receive(cancel(1))
    assert.notInclude(answered(await first.text()), 1)
  })
})
