import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { AccountStub } from "../account/AccountStub.ts"
import { resumableSse } from "../account/ResumableSse.ts"
import type { Listen } from "../account/Session.ts"

/** An empty event gives an id to resume from; clients understand it since this version (MCP, Streamable HTTP). */
const primesSince = "2025-11-25"

/**
 * Opens the stream of a session and holds it for the client. `preamble` writes what comes first, for a session id.
 */
export const sessionStream = Effect.fnUntraced(function* (
  account: AccountStub,
  listen: Listen,
  preamble: (sessionId: string) => string
) {
  const answer = yield* account.listen(listen)
  const { webSocket: socket } = answer
  if (!socket) return answer
  const sessionId = answer.headers.get("mcp-session-id") ?? ""
  const version = answer.headers.get("mcp-protocol-version") ?? ""
  const dial = (lastEventId: string | undefined) =>
    account.listen({ ...listen, again: true, sessionId, ...(lastEventId !== undefined && { lastEventId }) })
  const events = resumableSse({ socket, dial, preamble: preamble(sessionId), primes: version >= primesSince })
  return new Response(yield* Stream.toReadableStreamEffect(events), {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      ...(listen.wire === "streamable" && { "mcp-session-id": sessionId })
    }
  })
})
