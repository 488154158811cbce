import { assert, describe, it } from "@effect/vitest"
import type { Client } from "@modelcontextprotocol/client"

import { ClerkUnavailable } from "../../../src/server/clerk/ClerkError.ts"
import { testServer } from "../../../src/server/testing/index.ts"
import { deciding } from "../fixture/Deciding.ts"

const noted = { note: "a very private note" }

const started = async (onElicitation = false) => {
  const server = testServer(deciding, { users: [{ id: "user_ada", role: "member", email: "ada@private.example" }] })
  const client = await server.connect(
    { id: "user_ada" },
    onElicitation ? { onElicitation: () => ({ action: "accept", content: { word: noted.note } }) } : {}
  )
  const seen = server.decisions.length
  /** What was decided while the client did this, whatever came of it: the fields that tell. */
  const decided = async (ask: (client: Client) => Promise<unknown>) => {
    const before = server.decisions.length
    await ask(client).catch(() => undefined)
    return server.decisions
      .slice(before)
      .map(({ method, name, policy, lacked, outcome }) => [method, name, policy, lacked.join(), outcome])
  }
  return { server, client, decided, seen }
}

const call = (name: string) => (client: Client) => client.callTool({ name, arguments: noted })

describe("in the stateless lane, one decision is recorded", () => {
  it("for a call that is allowed, fails as declared, breaks, or is refused", async () => {
    const { decided, seen } = await started()
    assert.strictEqual(seen, 0)
    assert.deepEqual(await decided(call("works")), [["tools/call", "works", "allowed", "", "completed"]])
    assert.deepEqual(await decided(call("declines")), [["tools/call", "declines", "allowed", "", "tool error"]])
    assert.deepEqual(await decided(call("breaks")), [["tools/call", "breaks", "allowed", "", "defect"]])
    assert.deepEqual(await decided(call("reigns")), [
      ["tools/call", "reigns", "forbidden", "role king,role queen", "refused"]
    ])
    const wrong = (client: Client) => client.callTool({ name: "works", arguments: { note: 7 } })
    assert.deepEqual(await decided(wrong), [["tools/call", "works", "allowed", "", "tool error"]])
  })

  it("under the reference that whoever is refused is told", async () => {
    const { server, client } = await started()
    const referenceIn = (text: string) => / Reference ([A-Z2-9]{8})$/u.exec(text)?.[1] ?? assert.fail(text)
    const refused = await client.callTool({ name: "reigns", arguments: noted })
    const [words] = refused.content as ReadonlyArray<{ readonly text: string }>
    const told = [
      referenceIn(words?.text ?? ""),
      referenceIn(await client.getPrompt({ name: "secret", arguments: { on: "x" } }).then(() => "allowed", String))
    ]
    server.clerk.outage = new ClerkUnavailable({ operation: "users.getUser" })
    server.wait(400)
    const unknown = await client.callTool({ name: "works", arguments: noted })
    const [later] = unknown.content as ReadonlyArray<{ readonly text: string }>
    told.push(referenceIn(later?.text ?? ""))
    told.push(
      referenceIn(await client.getPrompt({ name: "speech", arguments: { on: "x" } }).then(() => "allowed", String))
    )
    const recorded = server.decisions.filter(({ outcome }) => outcome === "refused").map(({ reference }) => reference)
    assert.deepEqual(recorded, told)
    assert.strictEqual(new Set(told).size, 4)
  })

  it("for the 403 of a token without the scope, whose handler never runs", async () => {
    const { decided } = await started()
    assert.deepEqual(await decided(call("costs")), [
      ["tools/call", "costs", "missing scopes", "scope paint:use", "refused"]
    ])
  })

  it("for resources, prompts, completions and lists, each a single one", async () => {
    const { decided } = await started()
    const read = (uri: string) => (client: Client) => client.readResource({ uri })
    assert.deepEqual(await decided(read("test://text")), [["resources/read", "text", "allowed", "", "completed"]])
    assert.deepEqual(await decided(read("test://letter/Emma")), [
      ["resources/read", "letter", "allowed", "", "completed"]
    ])
    assert.deepEqual(await decided(read("test://letter/nobody")), [
      ["resources/read", "letter", "allowed", "", "tool error"]
    ])
    const get = (name: string) => (client: Client) => client.getPrompt({ name, arguments: { on: noted.note } })
    assert.deepEqual(await decided(get("speech")), [["prompts/get", "speech", "allowed", "", "completed"]])
    assert.deepEqual(await decided(get("secret")), [["prompts/get", "secret", "forbidden", "role king", "refused"]])
    const complete = (name: string) => (client: Client) =>
      client.complete({ ref: { type: "ref/prompt", name }, argument: { name: "on", value: "p" } })
    assert.deepEqual(await decided(complete("speech")), [["completion/complete", "speech", "allowed", "", "completed"]])
    assert.deepEqual(await decided(complete("secret")), [
      ["completion/complete", "secret", "forbidden", "role king", "refused"]
    ])
    for (const [method, list] of [
      ["tools/list", (client: Client) => client.listTools()],
      ["resources/list", (client: Client) => client.listResources()],
      ["resources/templates/list", (client: Client) => client.listResourceTemplates()],
      ["prompts/list", (client: Client) => client.listPrompts()]
    ] as const) {
      assert.deepEqual(await decided(list), [[method, "", "allowed", "", "completed"]])
    }
  })

  it("for each round of a call that asks", async () => {
    const { decided } = await started(true)
    assert.deepEqual(await decided(call("asks")), [
      ["tools/call", "asks", "allowed", "", "input required"],
      ["tools/call", "asks", "allowed", "", "completed"]
    ])
  })

  it("for a call that its client cancels", async () => {
    const { decided } = await started()
    const cancelled = await decided(async (client) => {
      const leaving = new AbortController()
      const hanging = client.callTool({ name: "hangs", arguments: noted }, { signal: leaving.signal })
      setTimeout(() => leaving.abort(), 50)
      await hanging.catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 50))
    })
    assert.deepEqual(cancelled, [["tools/call", "hangs", "allowed", "", "cancelled"]])
  })

  it("for what nobody can judge", async () => {
    const { decided, server } = await started()
    await decided(call("works"))
    server.clerk.outage = new ClerkUnavailable({ operation: "users.getUser" })
    server.wait(400)
    assert.deepEqual(await decided(call("works")), [["tools/call", "works", "unknown", "", "refused"]])
    assert.deepEqual(await decided((client) => client.listTools()), [["tools/list", "", "unknown", "", "refused"]])
  })

  it("for nothing that no policy judged", async () => {
    const { decided } = await started()
    assert.deepEqual(await decided(call("nothing")), [])
    assert.deepEqual(await decided((client) => client.listTools({ cursor: "made-up" })), [])
    assert.deepEqual(await decided((client) => client.readResource({ uri: "test://nothing" })), [])
    const malformed = { name: "costs", arguments: "none" as unknown as Record<string, unknown> }
    assert.deepEqual(await decided((client) => client.callTool(malformed)), [])
    assert.deepEqual(await decided((client) => client.ping()), [])
  })
})

describe("a batch", () => {
  const posted = async (names: ReadonlyArray<string>) => {
    const server = testServer(deciding)
    const { access_token: token } = await server.visitor.signIn("user_ada")
    const batch = names.map((name, id) => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name } }))
    const request = new Request("https://mcp.example.com/mcp", {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        host: "mcp.example.com",
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2025-03-26"
      },
      body: JSON.stringify(batch)
    })
    const answer = await server.handler(request)
    await answer.text()
    return [
      answer.status,
      server.decisions.map(({ name, policy, outcome }) => `${name} ${policy} ${outcome}`).toSorted()
    ] as const
  }

  it("has a decision for each of its messages", async () => {
    assert.deepEqual(await posted(["works", "declines", "asks", "nothing"]), [
      200,
      ["asks allowed tool error", "declines allowed tool error", "works allowed completed"]
    ])
  })

  it("that is refused for want of a scope has one for each message that was judged until then", async () => {
    assert.deepEqual(await posted(["works", "reigns", "costs", "works"]), [
      403,
      ["costs missing scopes refused", "reigns forbidden refused", "works allowed refused"]
    ])
  })
})

describe("a decision", () => {
  it("has the reference that the client was told, or one of its own", async () => {
    const { client, server } = await started()
    const said = [await call("declines")(client), await call("breaks")(client), await call("works")(client)].map(
      (answer) => JSON.stringify(answer)
    )
    const [declined, broken, worked] = server.decisions.map(({ reference }) => reference)
    assert.include(said[0], declined)
    assert.include(said[1], broken)
    assert.match(worked ?? "", /^[2-9A-Z]{8}$/u)
    assert.strictEqual(new Set([declined, broken, worked]).size, 3)
    const lines = server.log.filter((line) => line.includes(`"reference":"${broken}"`))
    assert.lengthOf(lines, 2)
  })

  it("does not hold up the answer: it is sent to the user's object a second later", async () => {
    const { client, server } = await started()
    await call("works")(client)
    await call("reigns")(client)
    assert.deepEqual(server.accounts.recorded, [])
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    assert.deepEqual(server.accounts.recorded, [2])
  })

  it("is a line of the log, and holds ids and nothing personal", async () => {
    const { client, server } = await started()
    for (const name of ["works", "declines", "breaks", "reigns", "costs"]) await call(name)(client).catch(() => {})
    await client.getPrompt({ name: "speech", arguments: { on: noted.note } })
    await client.readResource({ uri: `test://letter/${encodeURIComponent(noted.note)}` })
    const lines = server.log.map((line) => JSON.parse(line)).filter(({ message }) => message === "Decision")
    assert.lengthOf(lines, 7)
    assert.deepEqual(
      lines.map(({ annotations }) => annotations),
      server.decisions.map((decision) => ({ ...decision }))
    )
    for (const decision of server.decisions) {
      assert.strictEqual(decision.userId, "user_ada")
      assert.isAtLeast(decision.durationMs, 0)
      assert.isAbove(decision.time, 0)
      for (const id of [decision.clientId, decision.grantId]) assert.isNotEmpty(id)
    }
    const all = [...server.log, JSON.stringify(server.decisions)].join("\n")
    for (const personal of [noted.note, encodeURIComponent(noted.note), "ada@private.example", "Ada", "Marlowe"]) {
      assert.notInclude(all, personal)
    }
  })
})
