import { McpServer } from "@modelcontextprotocol/server"
import { assert, describe, it } from "vitest"

import { type Live, LiveServers } from "../../../src/server/account/LiveServers.ts"
import { SessionId } from "../../../src/server/account/Session.ts"
import { SessionTransport } from "../../../src/server/account/SessionTransport.ts"
import { ClientId } from "../../../src/server/domain/Principal.ts"

const id = SessionId.make("0123456789abcdef0123456789abcdef")

const clientId = ClientId.make("client")

const asking = { open: () => undefined, close: () => {}, later: () => {}, isListening: () => false }

/** A server whose making the test ends. */
const making = () => {
  const transport = new SessionTransport(
    id,
    "one",
    {
      only: undefined,
      opened: () => {},
      dropped: () => {},
      storeEvent: async () => "",
      replayEventsAfter: async () => ""
    },
    () => {},
    asking
  )
  Object.defineProperties(transport, { unanswered: { value: 1 }, working: { value: 1 } })
  const { promise, resolve, reject } = Promise.withResolvers<Live>()
  return {
    make: () => promise,
    made: () => resolve({ server: new McpServer({ name: "test", version: "1" }), transport, clientId }),
    reject
  }
}

describe("a server that is let go while it is being made", () => {
  it("leaves nothing behind", async () => {
    const [live, first, second] = [new LiveServers(1), making(), making()]
    const asked = live.get(id, first.make)
    const dropped = live.drop(id)
    const again = live.get(id, second.make)
    first.made()
    await Promise.all([asked, dropped])
    assert.strictEqual(live.working(), 0)
    second.made()
    await again
    assert.strictEqual(live.working(), 1)
    assert.strictEqual(live.working(clientId), 1)
    assert.strictEqual(live.working(ClientId.make("another")), 0)
    await live.drop(id)
    assert.strictEqual(live.working(), 0)
  })

  it("may fail, and takes no place of another one", async () => {
    const [live, first, second] = [new LiveServers(1), making(), making()]
    const asked = live.get(id, first.make)?.catch((error: unknown) => String(error))
    const dropped = live.drop(id)
    const again = live.get(id, second.make)
    first.reject(new Error("no memory"))
    assert.strictEqual(await asked, "Error: no memory")
    await dropped
    second.made()
    await again
    assert.strictEqual(live.unansweredOf(id), 1)
  })
})
