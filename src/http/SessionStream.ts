import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { AccountAgent, AgentUnavailable } from "../agent/AccountAgents.ts"
import { heldStream } from "../agent/HeldStream.ts"
import type { Listen } from "../agent/Session.ts"
import { refusal } from "../agent/SessionFailure.ts"
import * as Incident from "../observability/Incident.ts"

/** What a client is told when its user's object does not answer. */
export const unavailable = (failure: AgentUnavailable): Effect.Effect<Response> =>
  Effect.map(Incident.note("The object of a user did not answer", failure), (reference) =>
    refusal(503, -32603, `Sessions are not available right now. Reference ${reference}`, { "retry-after": "1" })
  )

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
    agent.listen({ ...listen, sessionId, ...(lastEventId !== undefined && { lastEventId }) })
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
