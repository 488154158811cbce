import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import { AgentUnavailable } from "../../src/agent/AccountAgents.ts"
import { heldStream } from "../../src/agent/HeldStream.ts"

/** An object that hands out sockets, and the Worker's stream on the first of them. */
const hold = (options: { readonly primes?: boolean; readonly refusals?: ReadonlyArray<"unavailable" | 404> } = {}) => {
  const dialled: Array<string | undefined> = []
  const refusals = [...(options.refusals ?? [])]
  const ends: Array<WebSocket> = []
  const open = () => {
    const { 0: client, 1: server } = new WebSocketPair()
    server.accept()
    ends.push(server)
    return client
  }
  const closes: Array<number> = []
  const socket = open()
  ends[0]!.addEventListener("close", ({ code }) => {
    closes.push(code)
  })
  const text: Array<string> = []
  const events = heldStream({
    socket,
    preamble: "hello\n\n",
    primes: options.primes ?? false,
    dial: (lastEventId) =>
      Effect.suspend(() => {
        dialled.push(lastEventId)
        const refusal = refusals.shift()
        if (refusal === "unavailable") {
          return Effect.fail(new AgentUnavailable({ operation: "listen", cause: undefined }))
        }
        return Effect.succeed(
          refusal === 404
            ? new Response("gone", { status: 404 })
            : new Response(null, { status: 101, webSocket: open() })
        )
      })
  })
  const stream = events.pipe(
    Stream.decodeText(),
    Stream.runForEach((part) => Effect.sync(() => text.push(part)))
  )
  const send = (id: string, data?: string) => ends.at(-1)!.send(JSON.stringify({ id, ...(data && { data }) }))
  return { events, stream, send, ends, dialled, closes, text }
}

const settled = Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 50)))

describe("the stream that the Worker holds for an object", () => {
  it.effect("turns frames into events, and ends with the session", () =>
    Effect.gen(function* () {
      const { stream, send, ends, text, dialled } = hold()
      const held = yield* Effect.forkChild(stream)
      yield* settled
      send("s.1", '{"a":1}')
      send("s.2")
      ends[0]!.close(1000)
      yield* Fiber.join(held)
      assert.strictEqual(text.join(""), 'hello\n\nevent: message\nid: s.1\ndata: {"a":1}\n\n')
      assert.isEmpty(dialled)
    })
  )

  it.effect("primes clients that understand it", () =>
    Effect.gen(function* () {
      const { stream, send, ends, text } = hold({ primes: true })
      const held = yield* Effect.forkChild(stream)
      yield* settled
      send("s.2")
      ends[0]!.close(4001)
      yield* Fiber.join(held)
      assert.strictEqual(text.join(""), "hello\n\nid: s.2\nretry: 1000\ndata: \n\n")
    })
  )

  it.effect("says something every 15 seconds", () =>
    Effect.gen(function* () {
      const { stream, text } = hold()
      const held = yield* Effect.forkChild(stream)
      yield* settled
      yield* TestClock.adjust("31 seconds")
      yield* settled
      assert.strictEqual(text.join(""), "hello\n\n: keepalive\n\n: keepalive\n\n")
      yield* Fiber.interrupt(held)
    })
  )

  it.effect("dials again after the last event when the socket is lost, and again when that fails", () =>
    Effect.gen(function* () {
      const { stream, send, ends, text, dialled } = hold({ refusals: ["unavailable", "unavailable"] })
      const held = yield* Effect.forkChild(stream)
      yield* settled
      send("s.7", "1")
      ends[0]!.close(1011)
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.deepEqual(dialled, ["s.7", "s.7", "s.7"])
      send("s.8", "2")
      ends[1]!.close(1000)
      yield* Fiber.join(held)
      assert.include(text.join(""), "id: s.8\ndata: 2")
    })
  )

  it.effect("ends when the session is gone", () =>
    Effect.gen(function* () {
      const { stream, ends, dialled } = hold({ refusals: [404] })
      const held = yield* Effect.forkChild(stream)
      yield* settled
      ends[0]!.close(1011)
      yield* Fiber.join(held)
      assert.lengthOf(dialled, 1)
    })
  )

  it.effect("ends rather than lose an event when the client does not read", () =>
    Effect.gen(function* () {
      const { events, send, closes } = hold()
      const reader = Stream.toReadableStream(events).getReader()
      yield* Effect.promise(() => reader.read())
      yield* settled
      for (let event = 0; event < 1_100; event++) send(`s.${event}`, "1")
      yield* settled
      const text = yield* Effect.promise(async () => {
        let text = ""
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
          text += new TextDecoder().decode(part.value)
        }
        return text
      })
      const ids = [...text.matchAll(/^id: s\.(\d+)$/gmu)].map(([, id]) => Number(id))
      assert.isAtLeast(ids.length, 1_024)
      assert.deepEqual(
        ids,
        ids.map((_, index) => index)
      )
      yield* settled
      assert.deepEqual(closes, [1000])
    })
  )

  it.effect("closes the socket when the client has left", () =>
    Effect.gen(function* () {
      const { stream, closes } = hold()
      const held = yield* Effect.forkChild(stream)
      yield* settled
      yield* Fiber.interrupt(held)
      yield* settled
      assert.deepEqual(closes, [1000])
    })
  )
})
