import { createMcpHandler, type McpRequestContext, type ServerEvent } from "@modelcontextprotocol/server"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import type { Identity } from "../domain/Identity.ts"
import { lenient } from "./Accept.ts"
import { toAuthInfo } from "./Admission.ts"
import { Changes } from "./Changes.ts"
import { ServerFactory } from "./ServerFactory.ts"

/** The largest message a client may post, in bytes. */
export const maxRequestBodySize = 1024 * 1024

/**
 * Serves requests that stand for themselves: every request of 2026-07-28, and those of 2025-era clients, each with a
 * server of its own (MCP, Streamable HTTP).
 */
export class StatelessLane extends Context.Service<
  StatelessLane,
  {
    /** Answers one HTTP request of an authenticated client. `parsedBody`: its JSON, if the body was read before. */
    readonly serve: (
      request: Request,
      identity: Identity,
      resourceMetadataUrl: string,
      parsedBody?: unknown
    ) => Effect.Effect<Response>
  }
>()("mcp/StatelessLane") {
  static readonly layer = Layer.effect(
    StatelessLane,
    Effect.gen(function* () {
      const factory = yield* ServerFactory
      const log = Effect.runSyncWith(yield* Effect.context())
      const changes = yield* Changes
      const run = Effect.runForkWith(yield* Effect.context())
      const options = {
        legacy: "stateless",
        maxRequestBodySize,
        // Faults of clients, and clients that left.
        onerror: (error: Error) =>
          log(Effect.logDebug("MCP request not served").pipe(Effect.annotateLogs({ error: error.name })))
      } as const
      const make = ({ era }: McpRequestContext) => factory.make({ listChanged: era === "modern" })
      const handler = createMcpHandler(make, options)

      /** A handler whose subscription hears of changes for this user, and ends when there is nobody to tell of them. */
      const subscribing = (identity: Identity) => {
        const subscribe = (listener: (event: ServerEvent) => void) => {
          const tell = Effect.sync(() => {
            for (const kind of listChanges) listener({ kind })
          })
          const following = run(
            changes.follow(identity).pipe(
              Stream.runForEach(() => tell),
              Effect.ensuring(Effect.promise(() => subscriber.close()))
            )
          )
          return () => following.interruptUnsafe()
        }
        const subscriber = createMcpHandler(make, { ...options, bus: { subscribe, publish: () => {} } })
        return subscriber
      }

      return StatelessLane.of({
        serve: (request, identity, resourceMetadataUrl, parsedBody) =>
          Effect.promise(() => {
            const lane = isSubscription(request) ? subscribing(identity) : handler
            const authInfo = toAuthInfo(identity, resourceMetadataUrl)
            const options = { authInfo, ...(parsedBody !== undefined && { parsedBody }) }
            return lenient(request, (request) => lane.fetch(request, options))
          })
      })
    })
  )
}

const listChanges = ["tools_list_changed", "resources_list_changed", "prompts_list_changed"] as const

/** Clients name the method in a header, too, and are refused when it is another one (MCP 2026-07-28, Streamable HTTP). */
const isSubscription = (request: Request) => request.headers.get("mcp-method") === "subscriptions/listen"
