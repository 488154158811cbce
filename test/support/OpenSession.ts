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

/** Reads a stream beside the test, once its first event is here: from then on the object knows of the stream. */
const reading = async (stream: Response) => {
  assert.strictEqual(stream.status, 200)
  const state = { open: true, text: "" }
  const read = async () => {
    for await (const part of stream.body!.pipeThrough(new TextDecoderStream())) state.text += part
    state.open = false
  }
  read().catch(() => {})
  while (!state.text.includes("\n\n")) await pause(20)
  return state
}

/** A session on `/mcp` with its stream, which is read beside the test. */
export const opened = async ({ mcp }: Server, accessToken: string) => {
  const introduction = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo }
  const { headers } = await legacy(mcp, accessToken, "initialize", introduction)
  const session = { headers: { "mcp-session-id": headers.get("mcp-session-id") ?? "" } }
  const stream = await fetch(mcp, {
    headers: { ...session.headers, authorization: `Bearer ${accessToken}`, accept: "text/event-stream" }
  })
  const state = await reading(stream)
  const send = (method: string, params = {}) => legacy(mcp, accessToken, method, params, session)
  return { state, send }
}

/** A stream of 2026-07-28 that hears of changed lists, which is read beside the test. */
export const subscribed = async ({ mcp }: Server, accessToken: string) => {
  const method = "subscriptions/listen"
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": clientInfo,
    "io.modelcontextprotocol/clientCapabilities": {}
  }
  const params = { notifications: { toolsListChanged: true }, _meta }
  const stream = await fetch(mcp, {
    method: "POST",
    headers: {
      authorization: `Bearer ${accessToken}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: "listen", method, params })
  })
  return reading(stream)
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
