import {
  isInputRequiredResult,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceTemplate as UriResources,
  type ScopeChallengeHandler,
  type ServerContext
} from "@modelcontextprotocol/server"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import type * as Policy from "../access/Policy.ts"
import type { RequestServices } from "../capability/RequestServices.ts"
import { DefinitionError, ServerInfo } from "../config/ServerInfo.ts"
import * as Authorize from "./Authorize.ts"
import { Catalogue } from "./Catalogue.ts"
import { faultsOf } from "./CatalogueFaults.ts"
import { telling } from "./ClientFeatures.ts"
import * as Completions from "./Completions.ts"
import { block, text } from "./Content.ts"
import { ProtocolServer } from "./InvalidParams.ts"
import * as Manifest from "./Manifest.ts"
import * as MultiRoundTrip from "./MultiRoundTrip.ts"
import * as Serving from "./Serving.ts"
import { toolError } from "./ToolCall.ts"

/** What depends on its user is no other user's, and is as fresh as the facts that it was judged on. */
const cacheHint = { ttlMs: 60_000, cacheScope: "private" } as const

/** The kinds of things of which each has a policy of its own. */
export const Kind = Schema.Literals(["tool", "resource", "prompt"])
export type Kind = typeof Kind.Type

/** Makes protocol servers: the same tools, resources and prompts for every lane and every protocol version. */
export class ServerFactory extends Context.Service<
  ServerFactory,
  {
    /** `listChanged`: whether there is a stream on which a change of a list can be told. */
    readonly make: (options: { readonly listChanged: boolean }) => McpServer
    /** Who may use what has this name, if there is such a thing. Templates count as resources. */
    readonly policyOf: (kind: Kind, name: string) => Policy.Policy | undefined
    /** Every tool, whoever may use it. */
    readonly tools: Catalogue["Service"]["tools"]
  }
>()("mcp/ServerFactory") {
  /** Fails where the catalogue has faults. */
  static readonly layer = Layer.effect(
    ServerFactory,
    Effect.gen(function* () {
      const catalogue = yield* Catalogue
      const { name, title, version, description, icons, websiteUrl, instructions, scopes } = yield* ServerInfo
      const faults = faultsOf(catalogue, new Set(scopes.keys()))
      if (faults.length > 0) return yield* new DefinitionError({ faults })
      const { forServer, scopeChallenge } = yield* Serving.make
      const { resources, templates, prompts } = catalogue
      const tools = new Map(catalogue.tools.map((tool) => [tool.listed.name, tool]))
      const registrations = registrationsOf(catalogue, scopeChallenge)

      const make = ({ listChanged }: { readonly listChanged: boolean }): McpServer => {
        const { run, listed, sent } = forServer()
        const server = new ProtocolServer(
          sent,
          {
            name,
            title,
            version,
            ...(description !== undefined && { description }),
            icons: [...icons],
            websiteUrl
          },
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

        /** Runs a program of the catalogue for the caller of a request, who may be told and asked along the way. */
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

        const refused = (error: Parameters<typeof Authorize.referred>[0]) =>
          Effect.map(Authorize.referred(error), toolError)

        const callTool = ({ policy, listed: { name }, call }: Tool, args: unknown, ctx: ServerContext) =>
          run(
            serve(ctx, policy, name, args, call(args)).pipe(
              Effect.catchTags({ AccessError: refused, NotPermitted: refused })
            ),
            ctx,
            name
          )

        for (const { tool, config } of registrations.tools) {
          server.registerTool(tool.listed.name, config, (args, ctx) => callTool(tool, args, ctx))
        }

        for (const { listed, policy, read, config } of registrations.resources) {
          const { uri, name, mimeType } = listed
          server.registerResource(name, uri, config, (_uri, ctx) =>
            run(serve(ctx, policy, uri, undefined, Effect.map(read, contents(uri, mimeType))), ctx, name, uri)
          )
        }

        for (const { listed, policy, read, uris, config } of registrations.templates) {
          const { name, mimeType } = listed
          server.registerResource(name, uris, config, ({ href }, values, ctx) =>
            run(
              serve(ctx, policy, href, undefined, Effect.map(read(values), contents(href, mimeType))),
              ctx,
              name,
              href
            )
          )
        }

        for (const { listed, policy, content, config } of registrations.prompts) {
          const { name } = listed
          server.registerPrompt(name, config, (values, ctx) =>
            run(serve(ctx, policy, name, values, Effect.map(content(values ?? {}), messages)), ctx, name)
          )
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
          tools: await listed(catalogue.tools, request, ctx)
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
        for (const extend of catalogue.extensions) extend(server)
        return server
      }

      const named: Readonly<Record<Kind, ReadonlyArray<Manifest.Entry<{ readonly name: string }>>>> = {
        tool: catalogue.tools,
        resource: [...resources, ...templates],
        prompt: prompts
      }
      const policyOf = (kind: Kind, name: string) => named[kind].find(({ listed }) => listed.name === name)?.policy

      return ServerFactory.of({ make, policyOf, tools: catalogue.tools })
    })
  ).pipe(Layer.provide(Digest.layerWebCrypto))
}

type Tool = Catalogue["Service"]["tools"][number]

/** What the SDK is told of each part: the same for every server, so made once. */
const registrationsOf = (
  { tools, resources, templates, prompts }: Catalogue["Service"],
  scopeChallenge: (policy: Policy.Policy, name: string) => ScopeChallengeHandler
) => ({
  tools: tools.map((tool) => {
    const { name: _, inputSchema, outputSchema, ...metadata } = tool.listed
    const config = {
      ...metadata,
      inputSchema: Manifest.advertised(inputSchema),
      ...(outputSchema !== undefined && { outputSchema: Manifest.advertised(outputSchema) }),
      scopeChallenge: scopeChallenge(tool.policy, tool.listed.name)
    }
    return { tool, config }
  }),
  resources: resources.map((resource) => {
    const { uri: _, name, ...metadata } = resource.listed
    return { ...resource, config: { ...metadata, cacheHint, scopeChallenge: scopeChallenge(resource.policy, name) } }
  }),
  templates: templates.map((template) => {
    const { uriTemplate, name, ...metadata } = template.listed
    const uris = new UriResources(uriTemplate, { list: undefined })
    return {
      ...template,
      uris,
      config: { ...metadata, cacheHint, scopeChallenge: scopeChallenge(template.policy, name) }
    }
  }),
  prompts: prompts.map(({ argsSchema, ...prompt }) => {
    const config = {
      ...prompt.listed,
      argsSchema: Manifest.advertised(argsSchema),
      scopeChallenge: scopeChallenge(prompt.policy, prompt.listed.name)
    }
    return { ...prompt, config }
  })
})

/** A resource as it is sent (MCP, resources, resource contents). */
const contents = (uri: string, mimeType: string) => (content: string | Uint8Array) => ({
  contents: [{ uri, mimeType, ...(typeof content === "string" ? { text: content } : { blob: Base64.encode(content) }) }]
})

/** What a prompt says, each part a message of the user (MCP, prompts, prompt messages). */
const messages = (said: string | ReadonlyArray<Parameters<typeof block>[0]>) => ({
  messages: (typeof said === "string" ? [text(said)] : said.map(block)).map((content) => ({
    role: "user" as const,
    content
  }))
})
