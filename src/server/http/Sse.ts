import * as Effect from "effect/Effect"

import { AccountAgents } from "../agent/AccountAgents.ts"
import { refusal, unavailable } from "../agent/SessionFailure.ts"
import { CurrentIdentity } from "../domain/Identity.ts"
import { makeGate } from "./Gate.ts"
import { readPosted } from "./Posted.ts"
import { sessionStream } from "./SessionStream.ts"

/** The first event names the address to post to (MCP 2024-11-05, HTTP with SSE). */
const endpoint = (sessionId: string) => `event: endpoint\ndata: /sse/message?sessionId=${sessionId}\n\n`

/** `GET /sse`: opens a session and the stream on which everything is answered (MCP 2024-11-05, HTTP with SSE). */
export const makeSse = Effect.gen(function* () {
  const agents = yield* AccountAgents
  const serve = Effect.fnUntraced(
    function* (request: Request) {
      // Clients that can do both try to post here first, and fall back to GET on this answer.
      if (request.method !== "GET") return refusal(405, -32000, "Method not allowed.", { allow: "GET" })
      const identity = yield* CurrentIdentity
      return yield* sessionStream(agents.forUser(identity.userId), { identity, wire: "sse" }, endpoint)
    },
    Effect.catchTag("AgentUnavailable", unavailable)
  )
  return yield* makeGate("/sse", serve)
})

/** `POST /sse/message`: takes a message for a session of `/sse`; the answer comes on its stream. */
export const makeSseMessage = Effect.gen(function* () {
  const agents = yield* AccountAgents
  const serve = Effect.fnUntraced(
    function* (request: Request, resourceMetadataUrl: string) {
      if (request.method !== "POST") return refusal(405, -32000, "Method not allowed.", { allow: "POST" })
      const posted = yield* readPosted(request)
      if (posted === undefined) return refusal(415, -32000, "Content-Type must be application/json")
      const identity = yield* CurrentIdentity
      const post = {
        identity,
        resourceMetadataUrl,
        wire: "sse",
        sessionId: new URL(request.url).searchParams.get("sessionId") ?? "",
        protocolVersion: request.headers.get("mcp-protocol-version") ?? undefined,
        body: posted.text
      } as const
      return yield* Effect.catchTag(agents.forUser(identity.userId).post(post), "AgentUnavailable", unavailable)
    },
    Effect.catch((refused) => Effect.succeed(refused))
  )
  return yield* makeGate("/sse", serve)
})
