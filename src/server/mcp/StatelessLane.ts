import {
  createMcpHandler,
  type McpHandlerRequestOptions,
  type McpRequestContext,
  type ServerEvent
} from "@modelcontextprotocol/server"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import type { Caller } from "../access/Caller.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import { lenient } from "./Accept.ts"
import { toAuthInfo } from "./Authorize.ts"
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
      caller: Caller,
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

      /**
       * A subscription hears of changes for this user, and ends when there is nobody to tell of them any more. It is
       * acknowledged once somebody does; if nobody will, its client is told why.
       */
      const subscribe = Effect.fnUntraced(function* (
        request: Request,
        { principal }: Caller,
        handed: McpHandlerRequestOptions
      ) {
        const settled = yield* Deferred.make<Response | undefined>()
        let follows = false
        const follow = (listener: (event: ServerEvent) => void) => {
          follows = true
          const tell = Effect.sync(() => {
            for (const kind of listChanges) listener({ kind })
          })
          const following = run(
            changes.follow(principal).pipe(
              Effect.tap(() => Deferred.succeed(settled, undefined)),
              Effect.flatMap(Stream.runForEach(() => tell)),
              Effect.catchTag("ChangesRefused", ({ answer }) => Deferred.succeed(settled, answer)),
              Effect.ensuring(Deferred.succeed(settled, undefined)),
              Effect.ensuring(Effect.promise(() => subscriber.close()))
            )
          )
          return () => following.interruptUnsafe()
        }
        const subscriber = createMcpHandler(make, { ...options, bus: { subscribe: follow, publish: () => {} } })
        const response = yield* Effect.promise(() => subscriber.fetch(request, handed))
        const refused = follows ? yield* Deferred.await(settled) : undefined
        if (refused === undefined) return response
        return yield* Effect.promise(async () => {
          await response.body?.cancel()
          return answering(handed.parsedBody, refused)
        })
      })

      return StatelessLane.of({
        serve: (request, caller, resourceMetadataUrl, parsedBody) => {
          const authInfo = toAuthInfo(caller, resourceMetadataUrl)
          const handed = { authInfo, ...(parsedBody !== undefined && { parsedBody }) }
          return isSubscription(request)
            ? subscribe(request, caller, handed)
            : Effect.andThen(
                Telemetry.remember(authInfo),
                Effect.promise(() => lenient(request, (request) => handler.fetch(request, handed)))
              )
        }
      })
    })
  )
}

const listChanges = ["tools_list_changed", "resources_list_changed", "prompts_list_changed"] as const

/** Clients name the method in a header, too, and are refused when it is another one (MCP 2026-07-28, Streamable HTTP). */
const isSubscription = (request: Request) => request.headers.get("mcp-method") === "subscriptions/listen"

const decodeRequest = Schema.decodeUnknownOption(Schema.Struct({ id: Schema.Union([Schema.String, Schema.Finite]) }))
const decodeRefusal = Schema.decodeUnknownPromise(Schema.Struct({ error: Schema.Json }))

/** An error that was written without an id, as the answer to a request (JSON-RPC 2.0, section 5). */
const answering = async (posted: unknown, refused: Response): Promise<Response> => {
  const { error } = await decodeRefusal(await refused.json())
  const { id } = Option.getOrElse(decodeRequest(posted), () => ({ id: null }))
  const headers = new Headers(refused.headers)
  headers.delete("content-length")
  return Response.json({ jsonrpc: "2.0", error, id }, { status: refused.status, headers })
}
