import { assert, describe, it } from "@effect/vitest"

import { lineSafe } from "../../../src/server/http/LineSafe.ts"
import { readAnywhere, withBreaks } from "../../support/Breaks.ts"

const events = { headers: { "content-type": "text/event-stream", "x-kept": "yes" } }
const event = `event: message\ndata: ${JSON.stringify({ text: withBreaks })}\n\n`

const chunked = (chunks: ReadonlyArray<Uint8Array>) => {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    }
  })
  return new Response(body, events)
}

describe("a stream of events", () => {
  it("holds no character at which a client could end a line, wherever its bytes are cut", async () => {
    const bytes = new TextEncoder().encode(event)
    for (let size = 1; size <= bytes.length; size++) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.slice(index * size, (index + 1) * size)
      )
      const response = lineSafe(chunked(chunks))
      assert.strictEqual(response.headers.get("x-kept"), "yes")
      const text = await response.text()
      assert.notMatch(text, /[\u0085\u2028\u2029]/u)
      assert.deepStrictEqual(readAnywhere(text), [{ text: withBreaks }])
    }
  })

  it("passes as it is where it holds none, and so does any other answer", async () => {
    const plain = new TextEncoder().encode("data: {}\n\n")
    const reader = lineSafe(chunked([plain])).body?.getReader()
    assert.strictEqual((await reader?.read())?.value, plain)
    const json = Response.json({ text: withBreaks })
    assert.strictEqual(lineSafe(json), json)
  })

  it("ends what it reads from when its client leaves", async () => {
    let left: unknown
    const source = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(event)),
      cancel: (reason) => {
        left = reason
      }
    })
    const reader = lineSafe(new Response(source, events)).body?.getReader()
    await reader?.read()
    await reader?.cancel("gone")
    await new Promise((resolve) => setTimeout(resolve))
    assert.strictEqual(left, "gone")
  })
})
