import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import { AccountUnavailable } from "../../../src/server/account/AccountStub.ts"
import { resumableSse } from "../../../src/server/account/ResumableSse.ts"

/** An object that hands out sockets, and the Worker's stream on the first of them. */
const hold = (
  options: {
    readonly primes?: boolean
    readonly refusals?: ReadonlyArray<"unavailable" | "overloaded" | 401 | 404 | 405 | 429>
    /** Every socket but the first is closed as soon as it is open. */
    readonly crashes?: boolean
  } = {}
) => {
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
  const events = resumableSse({
    socket,
    preamble: "hello\n\n",
    primes: options.primes ?? false,
    dial: (lastEventId) =>
      Effect.suspend(() => {
        dialled.push(lastEventId)
        const refusal = refusals.shift()
        if (refusal === "unavailable" || refusal === "overloaded") {
          const overloaded = refusal === "overloaded"
          return Effect.fail(new AccountUnavailable({ operation: "listen", overloaded, cause: undefined }))
        }
        if (refusal !== undefined) return Effect.succeed(new Response("refused", { status: refusal }))
        const webSocket = open()
        if (options.crashes) ends.at(-1)!.close(1011)
        return Effect.succeed(new Response(null, { status: 101, webSocket }))
      })
  })
  const stream = events.pipe(
    Stream.decodeText(),
    Stream.runForEach((part) => Effect.sync(() => text.push(part)))
  )
  const send = (id: string, data?: string) => ends.at(-1)!.send(JSON.stringify({ id, ...(data && { data }) }))
  return { events, stream, send, ends, dialled, closes, text }
}

/** Lets time pass in steps, between which sockets do what they do. */
const pass = Effect.fnUntraced(function* (seconds: number, step = 1) {
  for (let passed = 0; passed < seconds; passed += step) {
    yield* TestClock.adjust(`${step} seconds`)
    yield* Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 2)))
  }
})

/** What is logged while the stream of this object is held, for as long as it takes to give up. */
const givingUp = Effect.fnUntraced(function* ({ stream, ends }: ReturnType<typeof hold>) {
  const log: Array<string> = []
  const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))])
  const held = yield* Effect.forkChild(Effect.provide(stream, logger))
  yield* settled
  ends[0]!.close(1011)
  yield* settled
  yield* pass(240)
  yield* Fiber.join(held)
  return log
})

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

  it.effect("stays for a client that is idle for a minute, who has no reason to ask for it again", () =>
    Effect.gen(function* () {
      const { stream, text, dialled, closes } = hold()
      const held = yield* Effect.forkChild(stream)
      yield* settled
      for (let seconds = 0; seconds < 60; seconds += 15) yield* Effect.andThen(TestClock.adjust("15 seconds"), settled)
      assert.strictEqual(text.join(""), `hello\n\n${": keepalive\n\n".repeat(4)}`)
      assert.deepEqual([dialled, closes, held.pollUnsafe()], [[], [], undefined])
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
      assert.isEmpty(dialled)
      yield* pass(2, 0.1)
      yield* settled
      assert.deepEqual(dialled, ["s.7", "s.7", "s.7"])
      send("s.8", "2")
      ends[1]!.close(1000)
      yield* Fiber.join(held)
      assert.include(text.join(""), "id: s.8\ndata: 2")
    })
  )

  for (const [what, status] of [
    ["session", 404],
    ["grant", 401],
    ["place of the stream", 405]
  ] as const) {
    it.effect(`ends when the ${what} is gone`, () =>
      Effect.gen(function* () {
        const object = hold({ refusals: [status] })
        assert.isEmpty(yield* givingUp(object))
        assert.lengthOf(object.dialled, 1)
      })
    )
  }

  it.effect("ends, and notes it, when the object refuses for another reason", () =>
    Effect.gen(function* () {
      const object = hold({ refusals: [429] })
      const [line] = yield* givingUp(object)
      assert.include(line, "A stream was given up")
      assert.include(line, '"status":429')
      assert.lengthOf(object.dialled, 1)
    })
  )

  for (const code of [1000, 1001, 4001]) {
    it.effect(`ends when the object closes it with ${code}`, () =>
      Effect.gen(function* () {
        const { stream, ends, dialled } = hold()
        const held = yield* Effect.forkChild(stream)
        yield* settled
        ends[0]!.close(code)
        yield* Fiber.join(held)
        assert.isEmpty(dialled)
      })
    )
  }

  it.effect("dials an object that keeps no socket open less and less often, then not at all, and notes it", () =>
    Effect.gen(function* () {
      const object = hold({ crashes: true })
      const held = yield* Effect.forkChild(object.stream)
      yield* settled
      object.ends[0]!.close(1011)
      yield* settled
      yield* pass(2, 0.05)
      assert.isAtLeast(object.dialled.length, 2)
      assert.isAtMost(object.dialled.length, 5)
      yield* Fiber.interrupt(held)

      const another = hold({ crashes: true })
      const log = yield* givingUp(another)
      assert.lengthOf(another.dialled, 12)
      assert.lengthOf(log, 1)
      assert.include(log[0], "A stream was given up")
      assert.include(log[0], '"code":1011')
    })
  )

  it.effect("does not count dials against an object that sent an event since, or was there for half a minute", () =>
    Effect.gen(function* () {
      const { stream, send, ends, dialled } = hold()
      const held = yield* Effect.forkChild(stream)
      yield* settled
      for (let lost = 0; lost < 30; lost++) {
        if (lost % 2 === 0) send(`s.${lost}`, "1")
        else yield* pass(31, 31)
        yield* settled
        ends.at(-1)!.close(1011)
        yield* settled
        yield* pass(0.3, 0.3)
        assert.lengthOf(dialled, lost + 1)
      }
      yield* Fiber.interrupt(held)
    })
  )

  it.effect("leaves an object alone that has too much to do", () =>
    Effect.gen(function* () {
      const { stream, ends, dialled } = hold({ refusals: ["overloaded"] })
      const held = yield* Effect.forkChild(stream)
      yield* settled
      ends[0]!.close(1011)
      yield* settled
      yield* pass(3.9, 0.1)
      assert.lengthOf(dialled, 1)
      yield* pass(2.5, 0.1)
      assert.lengthOf(dialled, 2)
      yield* Fiber.interrupt(held)
    })
  )

  it.effect(
    "ends rather than hold more than 4 MiB for a client that does not read, but holds one event of any length",
    () =>
      Effect.gen(function* () {
        const { events, send, closes } = hold()
        const reader = Stream.toReadableStream(events).getReader()
        yield* Effect.promise(() => reader.read())
        yield* settled
        send("s.0", "0".repeat(6 * 1024 * 1024))
        for (let event = 1; event < 8; event++) send(`s.${event}`, String(event).repeat(1024 * 1024))
        yield* settled
        const ids = yield* Effect.promise(async () => {
          const ids: Array<number> = []
          for (let part = await reader.read(); !part.done; part = await reader.read()) {
            for (const [, id] of new TextDecoder().decode(part.value).matchAll(/^id: s\.(\d+)$/gmu))
              ids.push(Number(id))
          }
          return ids
        })
        assert.strictEqual(ids[0], 0)
        assert.isBelow(ids.length, 8)
        assert.deepEqual(
          ids,
          ids.map((_, index) => index)
        )
        yield* settled
        assert.deepEqual(closes, [1000])
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

  it.effect("carries any amount to a client that reads", () =>
    Effect.gen(function* () {
      const { stream, send, ends, text } = hold()
      const held = yield* Effect.forkChild(stream)
      yield* settled
      for (let event = 0; event < 8; event++) {
        send(`s.${event}`, "1".repeat(1024 * 1024))
        yield* settled
      }
      ends[0]!.close(1000)
      yield* Fiber.join(held)
      assert.lengthOf(text.join("").match(/^id: /gmu) ?? [], 8)
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
