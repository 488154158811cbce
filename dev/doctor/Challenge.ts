import * as Effect from "effect/Effect"

import { metadataAddress } from "../../src/server/clients/KnownClients.ts"
import { type Finding, finding } from "./Faults.ts"
import { ask } from "./Probe.ts"
import { clientsThat, resources, type Target } from "./Target.ts"

/** The first message of a client, and the headers that it comes with. */
const initialize = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "clerk-mcp doctor", version: "1" } }
}
const list = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} }
const headers = { accept: "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25" }

/** The parameters of a challenge (RFC 9110, section 11.6.1), if it is one for bearer tokens. */
const parametersOf = (header = ""): Readonly<Record<string, string>> | undefined =>
  /^bearer\b/iu.test(header)
    ? Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/gu)].map(([, name = "", value = ""]) => [name, value]))
    : undefined

const knocks = ["GET", "HEAD", "POST"] as const

/** How each resource answers a request without a token, in every way that clients knock (RFC 6750, RFC 9728). */
export const challenges = ({ origin }: Target) =>
  Effect.forEach(
    resources.flatMap((path) => knocks.map((method) => ({ path, method }))),
    Effect.fnUntraced(function* ({ path, method }) {
      const at = `${method} ${origin}${path}`
      const clients = clientsThat(({ first }) => first === method)
      const body = method === "POST" ? { body: initialize } : {}
      const answer = yield* Effect.option(ask(`${origin}${path}`, { method, headers, ...body }))
      if (answer._tag === "None") return [finding("not-challenged", `${at}: no answer`, clients)]
      const { status } = answer.value
      if (status !== 401) return [finding("not-challenged", `${at}: ${status}`, clients)]
      const challenge = parametersOf(answer.value.headers["www-authenticate"])
      if (challenge === undefined) return [finding("challenge-missing", at, clients)]
      const { resource_metadata: metadata, scope } = challenge
      const findings: Array<Finding> = []
      if (metadata === undefined) findings.push(finding("challenge-without-metadata", at, clients))
      else if (metadata !== metadataAddress("resource", `${origin}${path}`)) {
        findings.push(finding("challenge-wrong-metadata", `${at}: ${metadata}`, clients))
      }
      if (scope === undefined) findings.push(finding("challenge-without-scope", at, clients))
      return findings
    })
  ).pipe(Effect.map((found) => found.flat()))

/** Whether a token that nobody was given is refused as one that has expired would be. */
export const badToken = Effect.fnUntraced(function* ({ origin }: Target) {
  const address = `${origin}${resources[0]}`
  const authorization = { authorization: "Bearer user_doctor:none:none" }
  const answer = yield* Effect.option(
    ask(address, { method: "POST", headers: { ...headers, ...authorization }, body: list })
  )
  const status = answer._tag === "Some" ? answer.value.status : "no answer"
  return status === 401 ? [] : [finding("bad-token-taken", `POST ${address}: ${status}`)]
})
