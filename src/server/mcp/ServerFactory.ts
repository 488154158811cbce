import {
  type CallToolResult,
  type InputRequiredResult,
  isInputRequiredResult,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceTemplate as UriResources,
  type ServerContext
} from "@modelcontextprotocol/server"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"

import type * as Policy from "../access/Policy.ts"
import { ServerInfo } from "../config/ServerInfo.ts"
import type { PromptTemplate } from "../capability/PromptTemplate.ts"
import type { Resource } from "../capability/Resource.ts"
import type { ResourceTemplate } from "../capability/ResourceTemplate.ts"
import * as Authorize from "./Authorize.ts"
import { telling } from "./ClientFeatures.ts"
import * as Completions from "./Completions.ts"
import { block, text } from "./Content.ts"
import { ProtocolServer } from "./InvalidParams.ts"
import * as Manifest from "./Manifest.ts"
import * as MultiRoundTrip from "./MultiRoundTrip.ts"
import * as Serving from "./Serving.ts"
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
      const { name, title, version, instructions } = yield* ServerInfo
      const { run, listed, scopeChallenge } = yield* Serving.make
      const tools = new Map(calls.entries.map((tool) => [tool.listed.name, tool]))
      const resources = offer.resources.map((resource) => ({ ...resource, ...Manifest.resource(resource) }))
      const templates = offer.templates.map((template) => ({ ...template, ...Manifest.template(template) }))
      const prompts = offer.prompts.map((prompt) => ({ ...prompt, ...Manifest.prompt(prompt) }))

      const make = ({ listChanged }: { readonly listChanged: boolean }): McpServer => {
        const server = new ProtocolServer(
          { name, title, version },
          {
            ...(instructions !== undefined && { instructions }),
            capabilities: {
              tools: { listChanged },
              resources: { listChanged },
              prompts: { listChanged },
              completions: {},
              logging: {}
            },
            cacheHints: {
              "tools/list": cacheHint,
              "resources/list": cacheHint,
              "resources/templates/list": cacheHint,
              "prompts/list": cacheHint
            }
          }
        )

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
          return Authorize.authorize(
            policy,
            ctx.http?.authInfo,
            MultiRoundTrip.run(ctx, capabilities, name, args, program)
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
            return run(serve(ctx, policy, uri, undefined, contents), ctx, name)
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
              return run(serve(ctx, policy, uri.href, undefined, contents), ctx, name)
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
            return run(serve(ctx, policy, listed.name, values, messages), ctx, listed.name)
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
        protocol.setRequestHandler("tools/list", async (request, ctx) => ({
          tools: await listed(calls.entries, request, ctx)
        }))
        protocol.setRequestHandler("resources/list", async (request, ctx) => ({
          resources: await listed(resources, request, ctx)
        }))
        protocol.setRequestHandler("resources/templates/list", async (request, ctx) => ({
          resourceTemplates: await listed(templates, request, ctx)
        }))
        protocol.setRequestHandler("prompts/list", async (request, ctx) => ({
          prompts: await listed(prompts, request, ctx)
        }))
        protocol.setRequestHandler("completion/complete", ({ params }, ctx) =>
          run(
            Completions.complete(prompts, templates, params, ctx.http?.authInfo),
            ctx,
            params.ref.type === "ref/prompt" ? params.ref.name : params.ref.uri
          )
        )
        offer.extend?.(server)
        return server
      }

      return ServerFactory.of({ make })
    })
  ).pipe(Layer.provide(Digest.layerWebCrypto))
}

type Tool = ToolCalls["Service"]["entries"][number]
