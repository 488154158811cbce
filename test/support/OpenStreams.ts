import { assert } from "@effect/vitest"
import * as Schema from "effect/Schema"

import { Principal } from "../../src/server/domain/Principal.ts"
import { OAuthClient } from "./OAuthClient.ts"
import type { Server, SignInOptions, UserGrant } from "./RunningServer.ts"
import { legacy } from "./Wire.ts"

const decodePrincipal = Schema.decodeSync(Principal)

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const clientInfo = { name: "listener", version: "1" }
const introduction = (protocolVersion: string) => ({ protocolVersion, capabilities: {}, clientInfo })

const headersOf = ({ accessToken }: UserGrant) => ({
  authorization: `Bearer ${accessToken}`,
  "content-type": "application/json",
  accept: "application/json, text/event-stream"
})

/** Reads a stream to its end, beside the test. */
const watched = async (response: Response) => {
  assert.strictEqual(response.status, 200)
  const state = { open: true, text: "" }
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const read = (async () => {
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) state.text += part.value
      state.open = false
    } catch {
      // Cut off with the Worker.
    }
  })()
  /** Waits for the first event: from then on the object knows of the stream. */
  while (!state.text.includes("\n\n")) await pause(20)
  return { state, over: Promise.race([read, pause(10_000)]) }
}

/** A session on `/mcp` with its stream. */
const session = async ({ mcp }: Server, connection: UserGrant) => {
  const opened = await legacy(mcp, connection.accessToken, "initialize", introduction("2025-11-25"))
  const id = opened.headers.get("mcp-session-id") ?? ""
  assert.match(id, /^[0-9a-f]{32}$/u)
  const stream = await watched(await fetch(mcp, { headers: { ...headersOf(connection), "mcp-session-id": id } }))
  const ping = () => legacy(mcp, connection.accessToken, "ping", {}, { headers: { "mcp-session-id": id } })
  return { id, stream, ping }
}

/** A stream of 2026-07-28 that hears of changed lists. */
const subscription = async ({ mcp }: Server, connection: UserGrant) => {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": clientInfo,
    "io.modelcontextprotocol/clientCapabilities": {}
  }
  const method = "subscriptions/listen"
  const params = { notifications: { toolsListChanged: true }, _meta }
  return watched(
    await fetch(mcp, {
      method: "POST",
      headers: { ...headersOf(connection), "mcp-protocol-version": "2026-07-28", "mcp-method": method },
      body: JSON.stringify({ jsonrpc: "2.0", id: "sub", method, params })
    })
  )
}

/** A session of `/sse`, which is its stream. */
const sse = async ({ url }: Server, connection: UserGrant) => {
  const stream = await watched(await fetch(`${url}/sse`, { headers: headersOf(connection) }))
  const address = /data: (\S+)/u.exec(stream.state.text)?.[1] ?? ""
  const send = (method: string, params = {}) => legacy(`${url}${address}`, connection.accessToken, method, params)
  assert.strictEqual((await send("initialize", introduction("2024-11-05"))).status, 202)
  const ping = () => send("ping")
  return { stream, ping }
}

/** Somebody with everything open that can be: under a grant for `/mcp`, and under one for `/sse`. */
export const everything = async (server: Server, mcpGrant: UserGrant, sseGrant: UserGrant) => {
  const [mcp, subscribed, old] = await Promise.all([
    session(server, mcpGrant),
    subscription(server, mcpGrant),
    sse(server, sseGrant)
  ])
  const streams = { mcp: mcp.stream, subscribed, sse: old.stream }
  return {
    mcpGrant,
    sseGrant,
    /** Whether the object knew the session on `/mcp`, which nobody sees whose token is refused before. It ends here. */
    known: async () => {
      const [userId = "", grantId = ""] = mcpGrant.accessToken.split(":")
      const principal = decodePrincipal({ userId, grantId, clientId: mcpGrant.client.id, scopes: ["mcp:tools"] })
      return server.remove({ principal, sessionId: mcp.id })
    },
    /** The streams that are open, of those on `/mcp`, of 2026-07-28 and on `/sse`. */
    open: () => Object.entries(streams).flatMap(([name, { state }]) => (state.open ? name : [])),
    over: (...names: ReadonlyArray<keyof typeof streams>) => Promise.all(names.map((name) => streams[name].over)),
    pings: async () => [(await mcp.ping()).status, (await old.ping()).status]
  }
}

/** A grant for `/mcp`, and one for `/sse`. */
export const signedIn = async (server: Server, email: string, options: SignInOptions = {}) =>
  [
    await server.signIn(email, options),
    await server.signIn(email, { ...options, client: await OAuthClient.register(`${server.url}/sse`) })
  ] as const
