import { assert, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"

import { connect } from "../../support/Connect.ts"
import { freePort } from "../../support/FreePort.ts"
import { platform, withServer } from "../../support/LocalServer.ts"

/** A client that works with a session in the user's object (`legacy`), or without one in the Worker (`auto`). */
const clientOf = async (worker: string, token: string, mode: "auto" | "legacy") => {
  const client = new Client({ name: mode, version: "1" }, { versionNegotiation: { mode } })
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${worker}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${token}` } }
    })
  )
  const add = async (text: string) => {
    const { isError, structuredContent, content } = await client.callTool({ name: "addTodo", arguments: { text } })
    const { todos = [] } = (structuredContent ?? {}) as { readonly todos?: ReadonlyArray<string> }
    return { isError, todos, text: JSON.stringify(content) }
  }
  return { client, add }
}

it.live(
  "what is stored for a user is one thing in both lanes: nothing is lost of what both write at once",
  () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(freePort)
      yield* withServer({ port, entry: "test/readme/TodosWorker.ts" }, ({ worker, clerk }) =>
        Effect.promise(async () => {
          const token = await connect({ worker, clerk, email: "member@example.com" })
          const stateless = await clientOf(worker, token, "auto")
          const session = await clientOf(worker, token, "legacy")
          assert.strictEqual(stateless.client.getNegotiatedProtocolVersion(), "2026-07-28")
          assert.strictEqual(session.client.getNegotiatedProtocolVersion(), "2025-11-25")

          assert.deepEqual((await stateless.add("first")).todos, ["first"])
          assert.deepEqual((await session.add("second")).todos, ["first", "second"])

          const texts = Array.from({ length: 50 }, (_, index) => `todo ${index}`)
          // The object lets a session have 16 requests under way.
          const answers = await Promise.all(
            texts.map((text, index) => (index % 5 === 0 ? session : stateless).add(text))
          )
          for (const { isError, text } of answers) assert.isNotOk(isError, text)
          const { todos } = await session.add("last")
          assert.lengthOf(todos, 53)
          assert.sameMembers([...todos], ["first", "second", ...texts, "last"])

          for (const { client } of [stateless, session]) {
            const { contents } = await client.readResource({ uri: "todos://mine" })
            assert.deepEqual(contents[0] !== undefined && "text" in contents[0] && JSON.parse(contents[0].text), todos)
            const { messages } = await client.getPrompt({ name: "plan" })
            assert.deepInclude(messages[0]?.content, { text: "Plan a day with 53 things to do." })
          }

          const stranger = await clientOf(
            worker,
            await connect({ worker, clerk, email: "premium@example.com" }),
            "auto"
          )
          assert.deepEqual((await stranger.add("mine")).todos, ["mine"])

          const cleared = await stranger.client.callTool({ name: "clearTodos", arguments: {} })
          assert.deepInclude(cleared.structuredContent, { cleared: false })
          await stranger.client.callTool({ name: "clearTodos", arguments: { agreed: true } })
          assert.deepEqual((await stranger.add("other")).todos, ["other"])

          // The limit of this server is 4 KiB, in both lanes.
          for (const lane of [stateless, session]) {
            for (let text = 0; text < 8; text++) await lane.add("x".repeat(500))
            const refused = await lane.add("x".repeat(500))
            assert.isTrue(refused.isError)
            assert.include(refused.text, "may take 4096. Nothing was changed.")
          }
          for (const { client } of [stateless, session, stranger]) await client.close()
        })
      )
    }).pipe(Effect.provide(platform)),
  120_000
)
