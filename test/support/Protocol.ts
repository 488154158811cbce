import type { ClientCapabilities } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import type { Caller } from "../../src/server/access/Caller.ts"
import type { UserSnapshot } from "../../src/server/access/UserSnapshot.ts"
import { AppConfig } from "../../src/server/config/AppConfig.ts"
import { ServerInfo } from "../../src/server/config/ServerInfo.ts"
import { OrganizationId, Principal, UserId } from "../../src/server/domain/Principal.ts"
import { Changes } from "../../src/server/mcp/Changes.ts"
import { ServerFactory } from "../../src/server/mcp/ServerFactory.ts"
import { StatelessLane } from "../../src/server/mcp/StatelessLane.ts"
import type { Catalogue } from "../../src/server/mcp/Catalogue.ts"
import { StateSigner } from "../../src/server/oauth/StateSigner.ts"
import { Decisions } from "../../src/server/observability/Decisions.ts"
import { testSettings } from "../../src/server/testing/TestSettings.ts"
import { description } from "./TestConfig.ts"

export const principal = (change: Partial<typeof Principal.Encoded> = {}): Principal =>
  Schema.decodeSync(Principal)({
    userId: "user_one",
    grantId: "grantOne",
    clientId: "client",
    scopes: ["mcp:tools", "grants:end"],
    ...change
  })

/** The sender of a request, whom everybody knows. */
export const caller = (as: Principal = principal()): Caller => ({
  principal: as,
  facts: { _tag: "Known", user: snapshot }
})

const snapshot: UserSnapshot = {
  userId: UserId.make("user_one"),
  email: "one@example.com",
  firstName: "Una",
  lastName: null,
  imageUrl: "https://example.com/one.png",
  role: null,
  metadata: {},
  memberships: [{ id: OrganizationId.make("org_one"), slug: "one", name: "One", role: "org:member", permissions: [] }],
  locked: false,
  takenAt: 0
}

const config = Layer.effect(AppConfig, AppConfig.decode({ ...testSettings, PUBLIC_URL: "http://localhost:8788" })).pipe(
  Layer.orDie,
  (config) => Layer.provideMerge(ServerInfo.layer(description), config)
)

/** The protocol as it ships on a given catalogue. */
export const protocol = <R>(
  catalogue: Layer.Layer<Catalogue, never, R>,
  follow: Changes["Service"]["follow"] = () => Effect.succeed(Stream.empty)
) =>
  StatelessLane.layer.pipe(
    Layer.provideMerge(ServerFactory.layer),
    Layer.provide(catalogue),
    Layer.provide(Layer.succeed(Decisions, { record: () => Effect.void })),
    Layer.provideMerge(StateSigner.layer),
    Layer.provide(Layer.succeed(Changes, { follow })),
    Layer.provide(config)
  )

export interface Sent {
  readonly as?: Principal
  readonly accept?: string
  readonly capabilities?: ClientCapabilities
  readonly logLevel?: string
}

/** What a client of 2026-07-28 gets for one request: every message of the answer, the last one of them the result. */
export const send = Effect.fnUntraced(function* (
  method: string,
  params: Readonly<Record<string, unknown>>,
  { as = principal(), accept, capabilities = { elicitation: {} }, logLevel }: Sent = {}
) {
  const lane = yield* StatelessLane
  const name = params["name"] ?? params["uri"]
  const request = new Request("http://localhost:8788/mcp", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: accept ?? "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(typeof name === "string" && { "mcp-name": name })
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method,
      params: {
        ...params,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": capabilities,
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
          ...(logLevel !== undefined && { "io.modelcontextprotocol/logLevel": logLevel })
        }
      }
    })
  })
  const response = yield* lane.serve(
    request,
    caller(as),
    "http://localhost:8788/.well-known/oauth-protected-resource/mcp"
  )
  const text = yield* Effect.promise(() => response.text())
  const streamed = response.headers.get("content-type")?.startsWith("text/event-stream") === true
  const messages: ReadonlyArray<any> = streamed
    ? text.split("\n").flatMap((line) => (/^data: *\{/u.test(line) ? [JSON.parse(line.slice(5))] : []))
    : [JSON.parse(text)]
  return { status: response.status, streamed, messages, ...messages.at(-1) }
})
