import { assert } from "@effect/vitest"

import type { Server } from "./RunningServer.ts"
import { type Delivery, delivery, eventOf } from "./SignedWebhook.ts"
import { legacy } from "./Wire.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const clientInfo = { name: "listener", version: "1" }

/** Has Svix deliver an event about a user, and answers how long ago it was accepted. */
export const deliver = async ({ url }: Server, type: string, data: object, how: Delivery = {}) => {
  const { status } = await fetch(await delivery(eventOf(type, data), how, url))
  const at = performance.now()
  assert.strictEqual(status, 204)
  return () => performance.now() - at
}

/** A session on `/mcp` with its stream, which is read beside the test. */
export const opened = async ({ mcp }: Server, accessToken: string) => {
  const introduction = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo }
  const { headers } = await legacy(mcp, accessToken, "initialize", introduction)
  const session = { headers: { "mcp-session-id": headers.get("mcp-session-id") ?? "" } }
  const stream = await fetch(mcp, {
    headers: { ...session.headers, authorization: `Bearer ${accessToken}`, accept: "text/event-stream" }
  })
  assert.strictEqual(stream.status, 200)
  const state = { open: true, text: "" }
  const read = async () => {
    for await (const part of stream.body!.pipeThrough(new TextDecoderStream())) state.text += part
    state.open = false
  }
  read().catch(() => {})
  while (!state.text.includes("\n\n")) await pause(20)
  const send = (method: string, params = {}) => legacy(mcp, accessToken, method, params, session)
  return { state, send }
}

/** Whether it comes true within so many milliseconds. */
export const within = async (limit: number, check: () => boolean | Promise<boolean>) => {
  const since = performance.now()
  while (performance.now() - since < limit) {
    if (await check()) return true
    await pause(20)
  }
  return false
}
