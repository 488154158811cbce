import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { AccountAgent } from "../agent/AccountAgents.ts"
import { heldStream } from "../agent/HeldStream.ts"
import type { Listen } from "../agent/Session.ts"

/** An empty event gives an id to resume from; clients understand it since this version (MCP, Streamable HTTP). */
const primesSince = "2025-11-25"

/**
 * Opens the stream of a session and holds it for the client. `preamble` writes what comes first, for a session id.
 */
export const sessionStream = Effect.fnUntraced(function* (
  agent: AccountAgent,
  listen: Listen,
  preamble: (sessionId: string) => string
) {
  const answer = yield* agent.listen(listen)
  const { webSocket: socket } = answer
  if (!socket) return answer
  const sessionId = answer.headers.get("mcp-session-id") ?? ""
  const version = answer.headers.get("mcp-protocol-version") ?? ""
  const dial = (lastEventId: string | undefined) =>
    agent.listen({ ...listen, again: true, sessionId, ...(lastEventId !== undefined && { lastEventId }) })
  const events = heldStream({ socket, dial, preamble: preamble(sessionId), primes: version >= primesSince })
  return new Response(yield* Stream.toReadableStreamEffect(events), {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      ...(listen.wire === "streamable" && { "mcp-session-id": sessionId })
    }
  })
})
