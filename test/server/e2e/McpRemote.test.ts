import { assert, layer } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"

import { McpRemote } from "../../support/McpRemote.ts"
import { onServer, RunningServer } from "../../support/RunningServer.ts"

/** An application that starts its servers as commands, and says yes to what they ask. */
const application = () => {
  const questions: Array<string> = []
  const client = new Client({ name: "host", version: "1" }, { capabilities: { elicitation: {} } })
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    questions.push(params.message)
    return { action: "accept", content: { end: true } }
  })
  return { client, questions }
}

const namesOf = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name)

const places = [
  ["http-only", "/mcp", "premium@example.com"],
  ["sse-only", "/sse", "artist@example.com"]
] as const

layer(RunningServer.layer)("mcp-remote", (it) => {
  for (const [transport, path, email] of places) {
    it.effect(
      `${transport}: signs somebody in by itself, lists and calls the tools of ${path}, and passes questions on`,
      onServer(async (server) => {
        await using remote = await McpRemote.make(`${server.url}${path}`, transport)
        const person = server.person(email)
        const { client, questions } = application()
        await remote.connect(client, person, { scopes: ["paint:use", "grants:end"] })
        assert.lengthOf(remote.opened, 1)
        assert.sameMembers(await namesOf(client), ["sum", "whoAmI", "paint", "endOthers"])

        const sum = await client.callTool({ name: "sum", arguments: { a: 2, b: 3 } })
        assert.deepEqual(sum.structuredContent, { sum: 5 })
        const info = await client.callTool({ name: "whoAmI", arguments: {} })
        assert.deepInclude(info.structuredContent, { email })
        const reports: Array<number> = []
        const image = { name: "paint", arguments: { prompt: "a pier", steps: 4 } }
        await client.callTool(image, undefined, { onprogress: ({ progress }) => reports.push(progress) })
        assert.deepEqual(reports, [1, 2, 3, 4])

        const other = await server.signIn(email)
        const ended = await client.callTool({ name: "endOthers", arguments: {} })
        assert.deepEqual(ended.structuredContent, { ended: 1, confirmed: true })
        assert.deepEqual(questions, ["End 1?"])
        const refused = await fetch(server.mcp, { headers: { authorization: `Bearer ${other.accessToken}` } })
        assert.strictEqual(refused.status, 401)
      })
    )

    it.effect(
      `${transport}: comes back with the tokens it kept, and without them with the registration it kept`,
      onServer(async (server) => {
        await using remote = await McpRemote.make(`${server.url}${path}`, transport)
        const person = server.person("member@example.com")
        const visit = async () => {
          const { client } = application()
          await remote.connect(client, person)
          assert.sameMembers(await namesOf(client), ["sum", "whoAmI", "endOthers"])
          await client.close()
        }
        await visit()
        await visit()
        assert.lengthOf(remote.opened, 1)
        await remote.forgetTokens()
        // It fetches the address once by itself before it opens it, to see whether it is still registered.
        await visit()
        const [first, second] = remote.opened.map((address) => new URL(address).searchParams.get("client_id"))
        assert.strictEqual(first, second)
      })
    )
  }
})
