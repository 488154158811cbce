import { createMcpHandler } from "@modelcontextprotocol/server"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import type { Identity } from "../domain/Identity.ts"
import { lenient } from "./Accept.ts"
import { toAuthInfo } from "./Admission.ts"
import { ServerFactory } from "./ServerFactory.ts"

/** The largest message a client may post, in bytes. */
const maxRequestBodySize = 1024 * 1024

/**
 * Serves requests that stand for themselves: every request of 2026-07-28, and those of 2025-era clients, each with a
 * server of its own (MCP, Streamable HTTP).
 */
export class StatelessLane extends Context.Service<
  StatelessLane,
  {
    /** Answers one HTTP request of an authenticated client. */
    readonly serve: (request: Request, identity: Identity, resourceMetadataUrl: string) => Effect.Effect<Response>
  }
>()("mcp/StatelessLane") {
  static readonly layer = Layer.effect(
    StatelessLane,
    Effect.gen(function* () {
      const factory = yield* ServerFactory
      const log = Effect.runSyncWith(yield* Effect.context())
      const handler = createMcpHandler(factory.make, {
        legacy: "stateless",
        maxRequestBodySize,
        // Faults of clients, and clients that left.
        onerror: (error) =>
          log(Effect.logDebug("MCP request not served").pipe(Effect.annotateLogs({ error: error.name })))
      })
      return StatelessLane.of({
        serve: (request, identity, resourceMetadataUrl) =>
          Effect.promise(() => {
            const authInfo = toAuthInfo(identity, resourceMetadataUrl)
            return lenient(request, (request) => handler.fetch(request, { authInfo }))
          })
      })
    })
  )
}
