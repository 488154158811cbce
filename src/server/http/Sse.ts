import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

import { AccountStubs } from "../account/AccountStub.ts"
import { refusal, unavailable } from "../account/SessionFailure.ts"
import { makeProtectedRoute } from "./ProtectedRoute.ts"
import { mostUnproven, readPosted } from "./Posted.ts"
import { sessionStream } from "./SessionStream.ts"

/** The first event names the address to post to (MCP 2024-11-05, HTTP with SSE). */
const endpoint = (sessionId: string) => `event: endpoint\ndata: /sse/message?sessionId=${sessionId}\n\n`

/** `GET /sse`: opens a session and the stream on which everything is answered (MCP 2024-11-05, HTTP with SSE). */
export const makeSse = Effect.gen(function* () {
  const accounts = yield* AccountStubs
  return yield* makeProtectedRoute<never, never>(
    () => "/sse",
    (request) => ({
      ask: (userId, bearer) =>
        Effect.catchTag(accounts.forUser(userId).admit(bearer), "AccountUnavailable", unavailable),

      serve: Effect.fnUntraced(
        function* ({ principal }) {
          // Clients that can do both try to post here first, and fall back to GET on this answer.
          if (request.method !== "GET") return refusal(405, -32000, "Method not allowed.", { allow: "GET" })
          return yield* sessionStream(accounts.forUser(principal.userId), { principal, wire: "sse" }, endpoint)
        },
        Effect.catchTag("AccountUnavailable", unavailable)
      )
    })
  )
})

/** `POST /sse/message`: takes a message for a session of `/sse`; the answer comes on its stream. */
export const makeSseMessage = Effect.gen(function* () {
  const accounts = yield* AccountStubs
  return yield* makeProtectedRoute<Response, never>(
    () => "/sse",
    (request, resourceMetadataUrl) => {
      let refused: Response | undefined
      return {
        ask: (userId, bearer) => {
          const account = accounts.forUser(userId)
          return Effect.gen(function* () {
            const posted = yield* Effect.result(readMessage(request))
            if (Result.isFailure(posted)) {
              refused = posted.failure
              return yield* account.admit(bearer)
            }
            if (posted.success.text.length > mostUnproven) {
              const admission = yield* account.admit(bearer)
              if (admission._tag !== "Admitted") return admission
            }
            return yield* account.post({
              bearer,
              resourceMetadataUrl,
              wire: "sse",
              sessionId: new URL(request.url).searchParams.get("sessionId") ?? "",
              protocolVersion: request.headers.get("mcp-protocol-version") ?? undefined,
              body: posted.success.text
            })
          }).pipe(Effect.catchTag("AccountUnavailable", unavailable))
        },

        serve: (_caller, answer) => Effect.succeed(refused ?? answer ?? new Response(null, { status: 202 }))
      }
    }
  )
})

/** Fails with the answer that refuses a request that carries no message. */
const readMessage = Effect.fnUntraced(function* (request: Request) {
  if (request.method !== "POST") {
    return yield* Effect.fail(refusal(405, -32000, "Method not allowed.", { allow: "POST" }))
  }
  const posted = yield* readPosted(request)
  return posted ?? (yield* Effect.fail(refusal(415, -32000, "Content-Type must be application/json")))
})
