import * as Effect from "effect/Effect"

import { behaviours } from "../../src/server/clients/KnownClients.ts"
import { type Finding, finding } from "./Faults.ts"
import { ask } from "./Probe.ts"
import { clientsThat, type Target } from "./Target.ts"

const hosted = [...new Set(Object.values(behaviours).flatMap(({ origins = [] }) => origins))]

/** Where pages of hosted clients call, and the headers that they send there. */
const called = [
  { path: "/mcp", method: "POST", names: ["authorization", "content-type", "mcp-protocol-version"] },
  { path: "/token", method: "POST", names: ["content-type"] },
  { path: "/register", method: "POST", names: ["content-type"] },
  { path: "/.well-known/oauth-authorization-server", method: "GET", names: ["mcp-protocol-version"] },
  { path: "/.well-known/oauth-protected-resource/mcp", method: "GET", names: ["mcp-protocol-version"] }
]

const words = (header = ""): ReadonlyArray<string> => header.toLowerCase().split(/\s*,\s*/u)

/** Whether pages of hosted clients may call (Fetch, CORS protocol). */
export const preflights = ({ origin }: Target) =>
  Effect.forEach(
    hosted.flatMap((page) => called.map((call) => ({ page, ...call }))),
    Effect.fnUntraced(function* ({ page, path, method, names }) {
      const refused = (why: string) => [finding("preflight-refused", `${path} from ${page}: ${why}`, clientsOf(page))]
      const answer = yield* Effect.option(
        ask(`${origin}${path}`, {
          method: "OPTIONS",
          headers: {
            origin: page,
            "access-control-request-method": method,
            "access-control-request-headers": names.join(",")
          }
        })
      )
      if (answer._tag === "None") return refused("no answer")
      const { status, headers } = answer.value
      if (status !== 200 && status !== 204) return refused(String(status))
      const allowed = headers["access-control-allow-origin"]
      if (allowed !== page && allowed !== "*") return refused("no Access-Control-Allow-Origin")
      const taken = words(headers["access-control-allow-headers"])
      // A wildcard does not cover `Authorization` (Fetch, section 4.8).
      const lacking = names.filter(
        (name) => !taken.includes(name) && (name === "authorization" || !taken.includes("*"))
      )
      return lacking.length === 0 ? [] : refused(`the header ${lacking.join(", ")} is not allowed`)
    })
  ).pipe(Effect.map((found) => found.flat()))

/** What pages meet at `/mcp`: those of hosted clients a challenge that they can read, all others a refusal. */
export const origins = Effect.fnUntraced(function* ({ origin }: Target) {
  const address = `${origin}/mcp`
  const findings: Array<Finding> = []
  for (const page of hosted) {
    const answer = yield* Effect.option(ask(address, { method: "POST", headers: { origin: page } }))
    if (answer._tag === "None") continue
    const { headers, status } = answer.value
    if (status === 403) findings.push(finding("preflight-refused", `${address} from ${page}: 403`, clientsOf(page)))
    else if (!words(headers["access-control-expose-headers"]).includes("www-authenticate")) {
      findings.push(finding("challenge-hidden", `${address} from ${page}`, clientsOf(page)))
    }
  }
  const stranger = { origin: "https://doctor.invalid" }
  const answer = yield* Effect.option(ask(address, { method: "POST", headers: stranger }))
  if (answer._tag === "Some" && answer.value.status !== 403) {
    findings.push(finding("foreign-origin", `${address} from ${stranger.origin}: ${answer.value.status}`))
  }
  return findings
})

const clientsOf = (page: string) => clientsThat(({ origins = [] }) => origins.includes(page))
