import {
  McpServer,
  ProtocolError,
  ProtocolErrorCode,
  type ScopeChallengeHandler,
  type ServerContext
} from "@modelcontextprotocol/server"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"

import type { Access, AccessError } from "../access/Access.ts"
import type * as Policy from "../access/Policy.ts"
import type { PromptTemplate } from "../tools/PromptTemplate.ts"
import { Progress, type Report } from "../tools/Progress.ts"
import type { Resource } from "../tools/Resource.ts"
import * as Admission from "./Admission.ts"
import * as Manifest from "./Manifest.ts"
import { ToolCalls, toolError } from "./ToolCalls.ts"

/** The resources and prompts that the server offers beside its tools. */
export class Offer extends Context.Service<
  Offer,
  { readonly resources: ReadonlyArray<Resource>; readonly prompts: ReadonlyArray<PromptTemplate> }
>()("mcp/Offer") {}

/** What depends on its user is no other user's, and is as fresh as the facts that it was judged on. */
const cacheHint = { ttlMs: 60_000, cacheScope: "private" } as const

const serverInfo = { name: "clerk-mcp-worker", title: "Clerk MCP Worker", version: "0.1.0" }

/** Makes protocol servers: the same tools, resources and prompts for every lane and every protocol version. */
export class ServerFactory extends Context.Service<
  ServerFactory,
  {
    /** `listChanged`: whether there is a stream on which a change of a list can be told. */
    readonly make: (options: { readonly listChanged: boolean }) => McpServer
  }
>()("mcp/ServerFactory") {
  static readonly layer = Layer.effect(
    ServerFactory,
    Effect.gen(function* () {
      const calls = yield* ToolCalls
      const offer = yield* Offer
      const runPromise = Effect.runPromiseWith(yield* Effect.context<Access>())
      const resources = offer.resources.map((resource) => ({ ...resource, ...Manifest.resource(resource) }))
      const prompts = offer.prompts.map((prompt) => ({ ...prompt, ...Manifest.prompt(prompt) }))

      /** Runs a handler for the SDK: failures become protocol errors, and cancelling the request interrupts it. */
      const run = <A>(effect: Effect.Effect<A, Failure, Access>, { mcpReq }: ServerContext): Promise<A> =>
        runPromise(Effect.mapError(effect, protocolError), { signal: mcpReq.signal })

      const listed = async <A>(entries: ReadonlyArray<Manifest.Entry<A>>, ctx: ServerContext): Promise<Array<A>> =>
        (await run(Admission.visible(entries, ctx.http?.authInfo), ctx)).map((entry) => entry.listed)

      const scopeChallenge =
        (policy: Policy.Policy): ScopeChallengeHandler =>
        ({ authInfo }) =>
          runPromise(Admission.challenge(policy, authInfo))

      const registerTool = (server: McpServer, { listed, policy }: (typeof calls.entries)[number]) =>
        server.registerTool(
          listed.name,
          {
            ...listed,
            inputSchema: Manifest.advertised(listed.inputSchema),
            outputSchema: Manifest.advertised(listed.outputSchema),
            scopeChallenge: scopeChallenge(policy)
          },
          (args, ctx) =>
            run(
              Admission.admit(policy, ctx.http?.authInfo, calls.call(listed.name, args)).pipe(
                Effect.catchTags({
                  AccessError: (error) => Effect.succeed(toolError(error.message)),
                  NotPermitted: (error) => Effect.succeed(toolError(error.message))
                }),
                Effect.provideService(Progress, reporter(ctx))
              ),
              ctx
            )
        )

      const registerResource = (server: McpServer, { listed, policy, read }: (typeof resources)[number]) => {
        const { uri, name, ...metadata } = listed
        server.registerResource(
          name,
          uri,
          { ...metadata, cacheHint, scopeChallenge: scopeChallenge(policy) },
          async (_uri, ctx) => {
            const text = await run(Admission.admit(policy, ctx.http?.authInfo, read), ctx)
            return { contents: [{ uri, mimeType: listed.mimeType, text }] }
          }
        )
      }

      const registerPrompt = (server: McpServer, { listed, argsSchema, policy, text }: (typeof prompts)[number]) =>
        server.registerPrompt(
          listed.name,
          { ...listed, argsSchema: Manifest.advertised(argsSchema), scopeChallenge: scopeChallenge(policy) },
          async (values, ctx) => {
            const written = await run(Admission.admit(policy, ctx.http?.authInfo, text(values)), ctx)
            return { messages: [{ role: "user", content: { type: "text", text: written } }] }
          }
        )

      return ServerFactory.of({
        make: ({ listChanged }) => {
          const server = new McpServer(serverInfo, {
            capabilities: { tools: { listChanged }, resources: { listChanged }, prompts: { listChanged } },
            cacheHints: { "tools/list": cacheHint, "resources/list": cacheHint, "prompts/list": cacheHint }
          })
          for (const tool of calls.entries) registerTool(server, tool)
          for (const resource of resources) registerResource(server, resource)
          for (const prompt of prompts) registerPrompt(server, prompt)
          // The SDK would list everything it can serve; what is listed depends on who asks.
          server.server.setRequestHandler("tools/list", async (_, ctx) => ({ tools: await listed(calls.entries, ctx) }))
          server.server.setRequestHandler("resources/list", async (_, ctx) => ({
            resources: await listed(resources, ctx)
          }))
          server.server.setRequestHandler("prompts/list", async (_, ctx) => ({ prompts: await listed(prompts, ctx) }))
          return server
        }
      })
    })
  )
}

type Failure = AccessError | Admission.NotPermitted | Schema.SchemaError

/** How a failure that is no tool's answer looks on the wire (JSON-RPC 2.0, section 5.1). */
const protocolError = (failure: Failure): ProtocolError =>
  new ProtocolError(
    failure._tag === "AccessError" ? ProtocolErrorCode.InternalError : ProtocolErrorCode.InvalidParams,
    failure.message
  )

/** Progress is told to clients that asked for it (MCP, progress). */
const reporter = ({ mcpReq }: ServerContext) => {
  const progressToken = mcpReq._meta?.progressToken
  return (report: Report) =>
    progressToken === undefined
      ? Effect.void
      : Effect.promise(() => mcpReq.notify({ method: "notifications/progress", params: { progressToken, ...report } }))
}
