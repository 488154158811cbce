import * as Effect from "effect/Effect"

import { AccountStubs } from "../account/AccountStub.ts"
import { refusal, unavailable } from "../account/SessionFailure.ts"
import { CurrentPrincipal } from "../domain/Principal.ts"
import { makeProtectedRoute } from "./ProtectedRoute.ts"
import { readPosted } from "./Posted.ts"
import { sessionStream } from "./SessionStream.ts"

/** The first event names the address to post to (MCP 2024-11-05, HTTP with SSE). */
const endpoint = (sessionId: string) => `event: endpoint\ndata: /sse/message?sessionId=${sessionId}\n\n`

/** `GET /sse`: opens a session and the stream on which everything is answered (MCP 2024-11-05, HTTP with SSE). */
export const makeSse = Effect.gen(function* () {
  const accounts = yield* AccountStubs
  const serve = Effect.fnUntraced(
    function* (request: Request) {
      // Clients that can do both try to post here first, and fall back to GET on this answer.
      if (request.method !== "GET") return refusal(405, -32000, "Method not allowed.", { allow: "GET" })
      const principal = yield* CurrentPrincipal
      return yield* sessionStream(accounts.forUser(principal.userId), { principal, wire: "sse" }, endpoint)
    },
    Effect.catchTag("AccountUnavailable", unavailable)
  )
  return yield* makeProtectedRoute("/sse", serve)
})

/** `POST /sse/message`: takes a message for a session of `/sse`; the answer comes on its stream. */
export const makeSseMessage = Effect.gen(function* () {
  const accounts = yield* AccountStubs
  const serve = Effect.fnUntraced(
    function* (request: Request, resourceMetadataUrl: string) {
      if (request.method !== "POST") return refusal(405, -32000, "Method not allowed.", { allow: "POST" })
      const posted = yield* readPosted(request)
      if (posted === undefined) return refusal(415, -32000, "Content-Type must be application/json")
      const principal = yield* CurrentPrincipal
      const post = {
        principal,
        resourceMetadataUrl,
        wire: "sse",
        sessionId: new URL(request.url).searchParams.get("sessionId") ?? "",
        protocolVersion: request.headers.get("mcp-protocol-version") ?? undefined,
        body: posted.text
      } as const
      return yield* Effect.catchTag(accounts.forUser(principal.userId).post(post), "AccountUnavailable", unavailable)
    },
    Effect.catch((refused) => Effect.succeed(refused))
  )
  return yield* makeProtectedRoute("/sse", serve)
})
