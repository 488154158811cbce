import {
  type CallToolResult,
  type InputRequiredResult,
  isInputRequiredResult,
  McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceTemplate as UriResources,
  type ScopeChallengeHandler,
  type ServerContext
} from "@modelcontextprotocol/server"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"

import type { Access, AccessError } from "../access/Access.ts"
import type * as Policy from "../access/Policy.ts"
import * as Incident from "../observability/Incident.ts"
import type { StateSigner } from "../oauth/StateSigner.ts"
import type { PromptTemplate } from "../tools/PromptTemplate.ts"
import type { Resource } from "../tools/Resource.ts"
import type { ResourceTemplate } from "../tools/ResourceTemplate.ts"
import * as Admission from "./Admission.ts"
import { telling } from "./ClientFeatures.ts"
import * as Completions from "./Completions.ts"
import { block, text } from "./Content.ts"
import * as Manifest from "./Manifest.ts"
import * as Rounds from "./Rounds.ts"
import { type RequestServices, ToolCalls, toolError } from "./ToolCalls.ts"

/** What the server offers beside its tools. */
export class Offer extends Context.Service<
  Offer,
  {
    readonly resources: ReadonlyArray<Resource>
    readonly templates: ReadonlyArray<ResourceTemplate>
    readonly prompts: ReadonlyArray<PromptTemplate>
    /** The seam for a protocol feature that has no definition of its own here: it is handed each new server. */
    readonly extend?: (server: McpServer) => void
  }
>()("mcp/Offer") {}

/** What depends on its user is no other user's, and is as fresh as the facts that it was judged on. */
const cacheHint = { ttlMs: 60_000, cacheScope: "private" } as const

/** The stateless lane has no stream on which a change of a list could be told. */
const unchanging = { listChanged: false }

const serverInfo = { name: "clerk-mcp-worker", title: "Clerk MCP Worker", version: "0.1.0" }

/** Makes protocol servers: the same tools, resources and prompts for every lane and every protocol version. */
export class ServerFactory extends Context.Service<ServerFactory, { readonly make: () => McpServer }>()(
  "mcp/ServerFactory"
) {
  static readonly layer = Layer.effect(
    ServerFactory,
    Effect.gen(function* () {
      const calls = yield* ToolCalls
      const offer = yield* Offer
      const runPromise = Effect.runPromiseWith(yield* Effect.context<Services>())
      const tools = new Map(calls.entries.map((tool) => [tool.listed.name, tool]))
      const resources = offer.resources.map((resource) => ({ ...resource, ...Manifest.resource(resource) }))
      const templates = offer.templates.map((template) => ({ ...template, ...Manifest.template(template) }))
      const prompts = offer.prompts.map((prompt) => ({ ...prompt, ...Manifest.prompt(prompt) }))

      /** Runs a handler for the SDK: failures become protocol errors, and cancelling the request interrupts it. */
      const run = <A>(effect: Effect.Effect<A, Failure, Services>, { mcpReq }: ServerContext): Promise<A> =>
        runPromise(effect.pipe(Effect.mapError(protocolError), Effect.catchCause(unexpected(mcpReq.method))), {
          signal: mcpReq.signal
        })

      const listed = async <A>(entries: ReadonlyArray<Manifest.Entry<A>>, ctx: ServerContext): Promise<Array<A>> =>
        (await run(Admission.visible(entries, ctx.http?.authInfo), ctx)).map((entry) => entry.listed)

      const scopeChallenge =
        (policy: Policy.Policy): ScopeChallengeHandler =>
        ({ authInfo }) =>
          runPromise(Admission.challenge(policy, authInfo))

      const make = (): McpServer => {
        const server = new McpServer(serverInfo, {
          capabilities: {
            tools: unchanging,
            resources: unchanging,
            prompts: unchanging,
            completions: {},
            logging: {}
          },
          cacheHints: {
            "tools/list": cacheHint,
            "resources/list": cacheHint,
            "resources/templates/list": cacheHint,
            "prompts/list": cacheHint
          }
        })

        /** Runs a program of the server for the caller of a request, who may be told and asked along the way. */
        const serve = <A, E>(
          ctx: ServerContext,
          policy: Policy.Policy,
          name: string,
          args: unknown,
          program: Effect.Effect<A, E, RequestServices>
        ) => {
          // oxlint-disable-next-line typescript/no-deprecated -- the only place that knows them in both eras
          const capabilities = server.server.getClientCapabilities()
          return Admission.admit(
            policy,
            ctx.http?.authInfo,
            Rounds.conduct(ctx, capabilities, name, args, program)
          ).pipe(telling(ctx))
        }

        const callTool = (
          tool: Tool,
          args: unknown,
          ctx: ServerContext
        ): Promise<CallToolResult | InputRequiredResult> =>
          run(
            serve(ctx, tool.policy, tool.listed.name, args, calls.call(tool.listed.name, args)).pipe(
              Effect.catchTags({
                AccessError: (error) => Effect.succeed(toolError(error.message)),
                NotPermitted: (error) => Effect.succeed(toolError(error.message))
              })
            ),
            ctx
          )

        for (const tool of calls.entries) {
          const { listed, policy } = tool
          server.registerTool(
            listed.name,
            {
              ...listed,
              inputSchema: Manifest.advertised(listed.inputSchema),
              outputSchema: Manifest.advertised(listed.outputSchema),
              scopeChallenge: scopeChallenge(policy)
            },
            (args, ctx) => callTool(tool, args, ctx)
          )
        }

        for (const { listed, policy, read } of resources) {
          const { uri, name, ...metadata } = listed
          const config = { ...metadata, cacheHint, scopeChallenge: scopeChallenge(policy) }
          server.registerResource(name, uri, config, (_uri, ctx) => {
            const contents = Effect.map(read, (content) => ({
              contents: [
                {
                  uri,
                  mimeType: listed.mimeType,
                  ...(typeof content === "string" ? { text: content } : { blob: Base64.encode(content) })
                }
              ]
            }))
            return run(serve(ctx, policy, uri, undefined, contents), ctx)
          })
        }

        for (const { listed, policy, read } of templates) {
          const { uriTemplate, name, ...metadata } = listed
          const config = { ...metadata, cacheHint, scopeChallenge: scopeChallenge(policy) }
          server.registerResource(
            name,
            new UriResources(uriTemplate, { list: undefined }),
            config,
            (uri, values, ctx) => {
              const contents = Effect.map(read(values), (text) => ({
                contents: [{ uri: uri.href, mimeType: listed.mimeType, text }]
              }))
              return run(serve(ctx, policy, uri.href, undefined, contents), ctx)
            }
          )
        }

        for (const { listed, argsSchema, policy, content } of prompts) {
          const config = {
            ...listed,
            argsSchema: Manifest.advertised(argsSchema),
            scopeChallenge: scopeChallenge(policy)
          }
          server.registerPrompt(listed.name, config, (values, ctx) => {
            const messages = Effect.map(content(values ?? {}), (said) => ({
              messages: (typeof said === "string" ? [text(said)] : said.map(block)).map((content) => ({
                role: "user" as const,
                content
              }))
            }))
            return run(serve(ctx, policy, listed.name, values, messages), ctx)
          })
        }

        const protocol = server.server
        // The SDK would answer every error as the tool's own; state that is refused is an error of the protocol.
        protocol.setRequestHandler("tools/call", async ({ params }, ctx) => {
          const tool = tools.get(params.name)
          if (tool === undefined)
            throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Tool ${params.name} not found`)
          const result = await callTool(tool, params.arguments, ctx)
          return isInputRequiredResult(result)
            ? result
            : protocol.projectCallToolResult(result, tool.listed.outputSchema)
        })
        // The SDK would list everything it can serve; what is listed depends on who asks.
        protocol.setRequestHandler("tools/list", async (_, ctx) => ({ tools: await listed(calls.entries, ctx) }))
        protocol.setRequestHandler("resources/list", async (_, ctx) => ({ resources: await listed(resources, ctx) }))
        protocol.setRequestHandler("resources/templates/list", async (_, ctx) => ({
          resourceTemplates: await listed(templates, ctx)
        }))
        protocol.setRequestHandler("prompts/list", async (_, ctx) => ({ prompts: await listed(prompts, ctx) }))
        protocol.setRequestHandler("completion/complete", ({ params }, ctx) =>
          run(Completions.complete(prompts, templates, params, ctx.http?.authInfo), ctx)
        )
        offer.extend?.(server)
        return server
      }

      return ServerFactory.of({ make })
    })
  ).pipe(Layer.provide(Digest.layerWebCrypto))
}

/** The SDK sends the message of any error to the client, so a defect becomes one that says nothing but a reference. */
const unexpected = (method: string) => (cause: Cause.Cause<ProtocolError>) =>
  Cause.hasDies(cause)
    ? Effect.flatMap(Incident.report(`${method} failed unexpectedly`, cause), (reference) =>
        Effect.fail(new ProtocolError(ProtocolErrorCode.InternalError, Incident.apology(reference)))
      )
    : Effect.failCause(cause)

/** What the server itself needs to serve a request. */
type Services = Access | StateSigner | Digest.Digest

type Tool = ToolCalls["Service"]["entries"][number]

type Failure =
  | AccessError
  | Admission.NotPermitted
  | Completions.NothingToComplete
  | Rounds.StateRefused
  | Schema.SchemaError

/** How a failure that is no tool's answer looks on the wire (JSON-RPC 2.0, section 5.1). */
const protocolError = (failure: Failure): ProtocolError => {
  if (failure._tag === "StateRefused") {
    const data = { reason: "invalid_request_state" }
    return new ProtocolError(ProtocolErrorCode.InvalidParams, failure.message, data)
  }
  return new ProtocolError(
    failure._tag === "AccessError" ? ProtocolErrorCode.InternalError : ProtocolErrorCode.InvalidParams,
    failure.message
  )
}
