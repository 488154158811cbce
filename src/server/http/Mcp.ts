import { isLegacyRequest } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { AccountStubs } from "../account/AccountStub.ts"
import { refusal, unavailable } from "../account/SessionFailure.ts"
import { CurrentPrincipal } from "../domain/Principal.ts"
import { fitted, takes, takesAnswers } from "../mcp/Accept.ts"
import { StatelessLane } from "../mcp/StatelessLane.ts"
import { makeProtectedRoute } from "./ProtectedRoute.ts"
import { type Posted, readPosted } from "./Posted.ts"
import { sessionStream } from "./SessionStream.ts"

const isInitialize = Schema.is(Schema.Struct({ method: Schema.Literal("initialize") }))

/**
 * `/mcp`: the protocol's endpoint (MCP, Streamable HTTP), built once. Requests that name a session, and those that
 * open one, go to the object of their user; all others stand for themselves, whatever their version.
 */
export const makeMcp = Effect.gen(function* () {
  const lane = yield* StatelessLane
  const accounts = yield* AccountStubs

  const inSession = Effect.fnUntraced(
    function* (request: Request, posted: Posted | undefined, resourceMetadataUrl: string) {
      const principal = yield* CurrentPrincipal
      const account = accounts.forUser(principal.userId)
      const sessionId = request.headers.get("mcp-session-id") ?? undefined
      const protocolVersion = request.headers.get("mcp-protocol-version") ?? undefined
      const wire = "streamable"
      switch (request.method) {
        case "POST": {
          if (posted === undefined) return refusal(415, -32000, "Content-Type must be application/json")
          if (!takesAnswers(request)) return notAcceptable("application/json or text/event-stream")
          const body = posted.text
          const answer = yield* account.post({ principal, resourceMetadataUrl, wire, sessionId, protocolVersion, body })
          return yield* Effect.promise(() => fitted(request, answer))
        }
        case "GET": {
          if (!takes(request, "text/event-stream")) return notAcceptable("text/event-stream")
          const lastEventId = request.headers.get("last-event-id")
          const after = lastEventId === null ? {} : { lastEventId }
          return yield* sessionStream(account, { principal, wire, sessionId: sessionId ?? "", ...after }, () => "")
        }
        case "DELETE":
          return yield* account.remove({ principal, sessionId })
        default:
          return refusal(405, -32000, "Method not allowed.", { allow: "GET, POST, DELETE" })
      }
    },
    Effect.catchTag("AccountUnavailable", unavailable)
  )

  const serve = Effect.fnUntraced(
    function* (request: Request, metadata: string) {
      const posted = yield* readPosted(request)
      const opens = posted !== undefined && isInitialize(posted.json)
      const named = request.headers.has("mcp-session-id")
      if ((opens || named) && (yield* Effect.promise(() => isLegacyRequest(request, posted?.json)))) {
        return yield* inSession(request, posted, metadata)
      }
      return yield* lane.serve(request, yield* CurrentPrincipal, metadata, posted?.json)
    },
    Effect.catch((refused) => Effect.succeed(refused))
  )

  return yield* makeProtectedRoute("/mcp", serve)
})

const notAcceptable = (types: string) => refusal(406, -32000, `Not Acceptable: Client must accept ${types}`)
