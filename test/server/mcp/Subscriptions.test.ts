import { assert, describe, it } from "@effect/vitest"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

import { ChangesRefused } from "../../../src/server/mcp/Changes.ts"
import { StatelessLane } from "../../../src/server/mcp/StatelessLane.ts"
import { Catalogue } from "../../../src/server/mcp/Catalogue.ts"
import { caller, protocol } from "../../support/Protocol.ts"

/** The lane, with changes that the test makes. */
const lane = Effect.gen(function* () {
  const changes = yield* Queue.unbounded<void, Cause.Done>()
  const state: { followers: number; refused: Response | undefined } = { followers: 0, refused: undefined }
  const follow = Stream.unwrap(
    Effect.acquireRelease(
      Effect.sync(() => {
        state.followers += 1
        return Stream.fromQueue(changes)
      }),
      () => Effect.sync(() => (state.followers -= 1))
    )
  )
  const layer = protocol(Catalogue.layer(), () =>
    state.refused === undefined ? Effect.succeed(follow) : Effect.fail(new ChangesRefused({ answer: state.refused }))
  )
  const { serve } = yield* Effect.provide(StatelessLane, layer)
  return { changes, state, serve }
})

const subscription = (signal?: AbortSignal) =>
  new Request("https://mcp.example.com/mcp", {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "subscriptions/listen"
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: "sub",
      method: "subscriptions/listen",
      params: {
        notifications: { toolsListChanged: true, promptsListChanged: true },
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {}
        }
      }
    }),
    ...(signal && { signal })
  })

const reading = (response: Response) => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const messages: Array<any> = []
  const until = (count: number) =>
    Effect.promise(async () => {
      while (messages.length < count) {
        const { done, value = "" } = await reader.read()
        if (done) break
        for (const line of value.split("\n")) {
          if (line.startsWith("data: ")) messages.push(JSON.parse(line.slice(6)))
        }
      }
      return messages
    })
  return { until, leave: Effect.promise(() => reader.cancel()) }
}

const settled = Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 30)))

describe("a subscription of 2026-07-28", () => {
  it.effect("hears of changed lists, and ends with what tells of them", () =>
    Effect.gen(function* () {
      const { changes, serve } = yield* lane
      const response = yield* serve(subscription(), caller(), "https://mcp.example.com/metadata")
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      const { until } = reading(response)
      const [acknowledged] = yield* until(1)
      assert.strictEqual(acknowledged.method, "notifications/subscriptions/acknowledged")
      assert.deepEqual(acknowledged.params.notifications, { toolsListChanged: true, promptsListChanged: true })
      yield* Queue.offer(changes, undefined)
      const told = yield* until(3)
      assert.deepEqual(
        told.slice(1).map(({ method }) => method),
        ["notifications/tools/list_changed", "notifications/prompts/list_changed"]
      )
      yield* Queue.end(changes)
      const all = yield* until(4)
      assert.deepInclude(all.at(-1), { id: "sub" })
    })
  )

  it.effect("is told why nobody tells of them, and is not acknowledged", () =>
    Effect.gen(function* () {
      const { serve, state } = yield* lane
      const error = { code: -32000, message: "too many" }
      state.refused = Response.json(
        { jsonrpc: "2.0", error, id: null },
        { status: 429, headers: { "retry-after": "1" } }
      )
      const request = subscription()
      const posted: unknown = yield* Effect.promise(() => request.clone().json())
      const refused = yield* serve(request, caller(), "https://mcp.example.com/metadata", posted)
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers.get("retry-after"), "1")
      assert.deepEqual(yield* Effect.promise(() => refused.json()), { jsonrpc: "2.0", error, id: "sub" })
    })
  )

  it.effect("lets go of them when its client leaves", () =>
    Effect.gen(function* () {
      const { serve, state } = yield* lane
      const { until, leave } = reading(yield* serve(subscription(), caller(), "https://mcp.example.com/metadata"))
      yield* until(1)
      yield* settled
      assert.strictEqual(state.followers, 1)
      yield* leave
      yield* settled
      assert.strictEqual(state.followers, 0)
    })
  )
})
