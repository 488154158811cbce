import { assert, describe, it } from "vitest"

import { watched } from "../../../src/server/account/WatchedStream.ts"

/** An answer whose body the test steers, and how often it was told that the body has come to its end. */
const answer = () => {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) })
  const told = { times: 0 }
  return { controller, told, response: watched(new Response(body), () => void told.times++) }
}

describe("a stream that is watched", () => {
  it("tells once when it has ended", async () => {
    const { controller, told, response } = answer()
    controller?.enqueue(new TextEncoder().encode("data"))
    controller?.close()
    assert.strictEqual(await response.text(), "data")
    assert.strictEqual(told.times, 1)
  })

  it("tells once when its reader leaves in the middle of a read", async () => {
    const { told, response } = answer()
    const reader = response.body!.getReader()
    const read = reader.read()
    await reader.cancel()
    await read
    await new Promise((go) => setTimeout(go, 10))
    assert.strictEqual(told.times, 1)
  })

  it("tells once when it breaks", async () => {
    const { controller, told, response } = answer()
    controller?.error(new Error("broken"))
    await response.text().catch(() => "")
    assert.strictEqual(told.times, 1)
  })
})
