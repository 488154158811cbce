import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { lenient } from "../../../src/server/mcp/Accept.ts"

const events = ['{"jsonrpc":"2.0","method":"notifications/progress"}', '{"jsonrpc":"2.0","id":1,"result":{}}']

/** What is served to a client with this `Accept`, and what the server saw of it. */
const ask = (accept: string | null, answers: ReadonlyArray<string> = events, more: Record<string, string> = {}) =>
  Effect.promise(async () => {
    let seen: string | null = null
    const headers = new Headers({ ...more, ...(accept !== null && { accept }) })
    const request = new Request("http://localhost/mcp", { method: "POST", headers, body: "{}" })
    const response = await lenient(request, (served) => {
      seen = served.headers.get("accept")
      const body = answers.map((data) => `event: message\r\ndata: ${data}\r\n\r\n`).join("")
      return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }))
    })
    return { seen, status: response.status, type: response.headers.get("content-type"), body: await response.text() }
  })

const both = "application/json, text/event-stream"

describe("clients that do not list both media types", () => {
  it.effect("get a stream where they take one", () =>
    Effect.gen(function* () {
      for (const accept of [null, "*/*", "text/event-stream", "text/*;q=0.5", both]) {
        const { seen, type } = yield* ask(accept)
        assert.strictEqual(type, "text/event-stream", String(accept))
        assert.strictEqual(seen, both, String(accept))
      }
    })
  )

  it.effect("get one JSON body where they take JSON only", () =>
    Effect.gen(function* () {
      for (const accept of ["application/json", "application/*", "Application/JSON; q=1"]) {
        const { type, body } = yield* ask(accept)
        assert.strictEqual(type, "application/json", accept)
        assert.deepEqual(JSON.parse(body), { jsonrpc: "2.0", id: 1, result: {} })
      }
    })
  )

  it.effect("get the answers of a batch in one array", () =>
    Effect.gen(function* () {
      const { body } = yield* ask("application/json", ['{"id":1,"result":{}}', '{"id":2,"error":{"code":1}}'])
      assert.deepEqual(
        JSON.parse(body).map(({ id }: { id: number }) => id),
        [1, 2]
      )
    })
  )

  it.effect("get no JSON where nothing was answered, as happens to a request that was cancelled", () =>
    Effect.gen(function* () {
      for (const answers of [[], [""], ['{"jsonrpc":"2.0","method":"notifications/progress"}']]) {
        const { status, type, body } = yield* ask("application/json", answers)
        assert.deepEqual({ status, type, body }, { status: 202, type: null, body: "" })
      }
    })
  )

  it.effect("are left as they are where nothing fits, and where they subscribe", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ask("text/html")).seen, "text/html")
      const subscribed = yield* ask("application/json", events, { "mcp-method": "subscriptions/listen" })
      assert.strictEqual(subscribed.seen, "application/json")
    })
  )
})
