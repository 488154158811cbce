import * as Effect from "effect/Effect"

import { type Metadata, metadataAddress } from "../../src/server/clients/KnownClients.ts"
import { baseline } from "../../src/server/domain/Scope.ts"
import { type FaultId, type Finding, finding } from "./Faults.ts"
import { type Answer, ask, listOf } from "./Probe.ts"
import { clientsThat, resources, type Target } from "./Target.ts"

const lookAt = (metadata: Metadata) => clientsThat((client) => client.metadata?.includes(metadata) === true)

/** Metadata of the resources (RFC 9728): under the path of each, and at the root. */
export const resourceMetadata = ({ origin }: Target) =>
  Effect.forEach(
    [
      ...resources.map((path) => ({ path, metadata: "resource" as const })),
      { path: resources[0], metadata: "resource-root" as const }
    ],
    Effect.fnUntraced(function* ({ path, metadata }): Effect.fn.Return<ReadonlyArray<Finding>, never, Client> {
      const address = metadataAddress(metadata, `${origin}${path}`)
      const found = (id: FaultId, at = address) => [finding(id, at, lookAt(metadata))]
      const answer = yield* answered(address)
      if (answer?.status !== 200 || answer.json === undefined) {
        return found("resource-metadata-missing", `${address}: ${answer?.status ?? "no answer"}`)
      }
      const resource = answer.json["resource"]
      if (resource !== `${origin}${path}`) return found("resource-metadata-wrong", `${address}: ${String(resource)}`)
      const servers = listOf(answer, "authorization_servers")
      return servers[0] === origin ? [] : found("resource-metadata-no-server", `${address}: ${servers.join(" ")}`)
    })
  ).pipe(Effect.map((found) => found.flat()))

/** Metadata of the authorization server (RFC 8414), and what it promises to clients. */
export const serverMetadata = Effect.fnUntraced(function* ({ origin }: Target) {
  const address = metadataAddress("authorization-server", `${origin}/mcp`)
  const answer = yield* answered(address)
  if (answer?.status !== 200 || answer.json === undefined) {
    return [
      finding("server-metadata-missing", `${address}: ${answer?.status ?? "no answer"}`, lookAt("authorization-server"))
    ]
  }
  const { json } = answer
  if (json["issuer"] !== origin) return [finding("server-metadata-wrong", `${address}: ${String(json["issuer"])}`)]
  const elsewhere = ["authorization_endpoint", "token_endpoint"].filter(
    (name) => !String(json[name]).startsWith(`${origin}/`)
  )
  const lacks = (name: string, value: string) => !listOf(answer, name).includes(value)
  const wrong: ReadonlyArray<readonly [boolean, FaultId, ReadonlyArray<string>]> = [
    [lacks("code_challenge_methods_supported", "S256"), "no-s256", []],
    [
      json["registration_endpoint"] === undefined,
      "no-registration",
      clientsThat((client) => client.dynamicRegistration && !client.clientMetadataDocument)
    ],
    [
      json["client_id_metadata_document_supported"] !== true,
      "no-cimd",
      clientsThat((client) => client.clientMetadataDocument)
    ],
    [lacks("token_endpoint_auth_methods_supported", "none"), "no-public-clients", []],
    [lacks("grant_types_supported", "refresh_token"), "no-refresh", []],
    [json["authorization_response_iss_parameter_supported"] !== true, "no-iss", []],
    [lacks("scopes_supported", baseline), "no-baseline-scope", []]
  ]
  return [
    ...elsewhere.map((name) => finding("endpoints-elsewhere", `${name}: ${String(json[name])}`)),
    ...wrong.flatMap(([is, id, clients]) => (is ? [finding(id, address, clients)] : []))
  ]
})

/** Addresses that some clients try first, or when the others fail: the answer is 404, or metadata. */
const alsoTried = [
  "/.well-known/oauth-authorization-server/mcp",
  "/.well-known/oauth-authorization-server/sse",
  "/.well-known/openid-configuration",
  "/.well-known/openid-configuration/mcp",
  "/mcp/.well-known/openid-configuration"
]

export const confusingMetadata = ({ origin }: Target) =>
  Effect.forEach(
    alsoTried,
    Effect.fnUntraced(function* (path) {
      const answer = yield* answered(`${origin}${path}`)
      if (answer === undefined || answer.status === 404) return []
      if (answer.status === 200 && answer.json?.["issuer"] === origin) return []
      return [finding("metadata-confusing", `${origin}${path}: ${answer.status}`, lookAt("openid"))]
    })
  ).pipe(Effect.map((found) => found.flat()))

type Client = Effect.Services<ReturnType<typeof ask>>

const answered = (address: string): Effect.Effect<Answer | undefined, never, Client> =>
  Effect.orElseSucceed(ask(address, { headers: { "mcp-protocol-version": "2025-11-25" } }), () => undefined)
