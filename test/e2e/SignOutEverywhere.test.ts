import { assert, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"

import { connect } from "../support/Connect.ts"
import { freePort, platform, withServer } from "../support/LocalServer.ts"

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

it.live(
  "signOutEverywhere ends a person's other connections, and nobody else's",
  () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* withServer({ port }, (at) =>
        Effect.gen(function* () {
          const signIn = (email: string, ...scopes: ReadonlyArray<string>) =>
            Effect.promise(() => connect({ ...at, email, scopes }))
          const mine = yield* signIn("member@example.com", "connections:manage")
          const others = [yield* signIn("member@example.com"), yield* signIn("member@example.com")]
          const stranger = yield* signIn("premium@example.com")

          const questions: Array<string> = []
          const client = new Client(
            { name: "modern", version: "1" },
            { capabilities: { elicitation: {} }, versionNegotiation: { mode: "auto" } }
          )
          client.setRequestHandler("elicitation/create", ({ params }) => {
            questions.push(params.message)
            return { action: "accept", content: { signOut: true } }
          })
          const transport = new StreamableHTTPClientTransport(new URL(`${at.worker}/mcp`), {
            requestInit: { headers: { authorization: `Bearer ${mine}` } }
          })
          yield* Effect.promise(() => client.connect(transport))
          const { structuredContent } = yield* Effect.promise(() => client.callTool({ name: "signOutEverywhere" }))
          assert.deepEqual(structuredContent, { signedOut: 2, confirmed: true })
          assert.deepEqual(questions, ["Sign out 2 other connections?"])
          yield* Effect.promise(() => client.close())

          for (const token of others) assert.strictEqual((yield* ping(at.worker, token)).status, 401)
          for (const token of [mine, stranger]) assert.strictEqual((yield* ping(at.worker, token)).status, 200)

          for (const accept of ["*/*", "application/json"]) {
            const { status, type, body } = yield* ping(at.worker, mine, accept)
            assert.strictEqual(status, 200, accept)
            assert.strictEqual(type, accept === "*/*" ? "text/event-stream" : "application/json")
            assert.include(body, "signOutEverywhere")
          }
        })
      )
    }).pipe(Effect.provide(platform)),
  120_000
)
