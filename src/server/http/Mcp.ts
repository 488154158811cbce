import { isLegacyRequest } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { type AccountStub, AccountStubs, type AccountUnavailable } from "../account/AccountStub.ts"
import { refusal, unavailable } from "../account/SessionFailure.ts"
import type { Caller } from "../access/Caller.ts"
import { fitted, takes, takesAnswers } from "../mcp/Accept.ts"
import { StatelessLane } from "../mcp/StatelessLane.ts"
import { resourceAt } from "../oauth/Resource.ts"
import type { Asked } from "../oauth/ResourceServer.ts"
import { makeProtectedRoute } from "./ProtectedRoute.ts"
import { mostUnproven, type Posted, readPosted } from "./Posted.ts"
import { sessionStream } from "./SessionStream.ts"

const isInitialize = Schema.is(Schema.Struct({ method: Schema.Literal("initialize") }))

const wire = "streamable"

/** What a client posted, or why it cannot be read; and whether it belongs to a session. */
interface Read {
  readonly posted: Result.Result<Posted | undefined, Response>
  readonly inSession: boolean
}

const read = Effect.fnUntraced(function* (request: Request): Effect.fn.Return<Read> {
  const posted = yield* Effect.result(readPosted(request))
  if (Result.isFailure(posted)) return { posted, inSession: false }
  const json = posted.success?.json
  const isOfSession = isInitialize(json) || request.headers.has("mcp-session-id")
  const inSession = isOfSession && (yield* Effect.promise(() => isLegacyRequest(request, json)))
  return { posted, inSession }
})

/**
 * `/mcp`, and `/mcp/{slug}` for one organization: the protocol's endpoint (MCP, Streamable HTTP), built once. Requests that name a session, and those that
 * open one, are served by the object of their user, which checks their token as well; all others stand for themselves,
 * whatever their version: their token is checked there, and they are served here.
 */
export const makeMcp = Effect.gen(function* () {
  const lane = yield* StatelessLane
  const accounts = yield* AccountStubs

  /** Serves a request of a session whose token is good, unless the object has done so. */
  const inSession = Effect.fnUntraced(
    function* (request: Request, { principal }: Caller, isPosted: boolean, answer: Response | undefined) {
      const account = accounts.forUser(principal.userId)
      const sessionId = request.headers.get("mcp-session-id") ?? undefined
      switch (request.method) {
        case "POST":
          if (answer !== undefined) return yield* Effect.promise(() => fitted(request, answer))
          return isPosted
            ? notAcceptable("application/json or text/event-stream")
            : refusal(415, -32000, "Content-Type must be application/json")
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

  return yield* makeProtectedRoute<Response, never>(requested, (request, resourceMetadataUrl) => {
    let found: Read | undefined
    return {
      ask: (userId, bearer) => {
        const account: AccountStub = accounts.forUser(userId)
        return Effect.gen(function* (): Effect.fn.Return<Asked<Response>, AccountUnavailable> {
          const isLarge = Number(request.headers.get("content-length")) > mostUnproven
          let admission = isLarge ? yield* account.admit(bearer) : undefined
          if (admission !== undefined && admission._tag !== "Admitted") return admission
          found = yield* read(request)
          const posted = Result.getOrUndefined(found.posted)
          const inObject = found.inSession && takesAnswers(request)
          if (!inObject || posted === undefined) return admission ?? (yield* account.admit(bearer))
          // One without a length is known to be large only now.
          if (posted.text.length > mostUnproven) admission ??= yield* account.admit(bearer)
          if (admission !== undefined && admission._tag !== "Admitted") return admission
          const sessionId = request.headers.get("mcp-session-id") ?? undefined
          const protocolVersion = request.headers.get("mcp-protocol-version") ?? undefined
          const body = posted.text
          return yield* account.post({ bearer, resourceMetadataUrl, wire, sessionId, protocolVersion, body })
        }).pipe(Effect.catchTag("AccountUnavailable", unavailable))
      },

      serve: Effect.fnUntraced(function* (caller, answer) {
        const { posted, inSession: isOfSession } = found ?? (yield* read(request))
        if (Result.isFailure(posted)) return posted.failure
        if (isOfSession) return yield* inSession(request, caller, posted.success !== undefined, answer)
        return yield* lane.serve(request, caller, resourceMetadataUrl, posted.success?.json)
      })
    }
  })
})

/** `/mcp` itself, or that of an organization. */
const requested = (request: Request) => resourceAt(new URL(request.url).pathname)

const notAcceptable = (types: string) => refusal(406, -32000, `Not Acceptable: Client must accept ${types}`)
