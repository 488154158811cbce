import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

import { behaviours, knownClients, registrationOf } from "../../src/server/clients/KnownClients.ts"
import { isLoopback } from "../../src/server/config/AppConfig.ts"
import { baseline } from "../../src/server/domain/Scope.ts"
import { type FaultId, type Finding, finding } from "./Faults.ts"
import { type Answer, ask, headline, listOf } from "./Probe.ts"
import type { Target } from "./Target.ts"

/** Where a client waits that happens to find this port free, and the port of its next sign-in. */
const [port, nextPort] = [53_682, 53_683]

/** The challenge of RFC 7636, appendix B: nobody redeems the code. */
const pkce = { code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256" }

interface Registered {
  readonly clientId: string
  readonly redirectUri: string
}

const authorizeAddress = ({ origin }: Target, { clientId, redirectUri }: Registered, parameters: object = pkce) => {
  const asked = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: baseline,
    state: "doctor-doctor",
    resource: `${origin}/mcp`,
    ...parameters
  }
  return `${origin}/authorize?${new URLSearchParams(asked).toString()}`
}

/** Registers as each client does that can, and goes as far as the consent page with it. */
export const signIns = Effect.fnUntraced(function* (target: Target) {
  const findings: Array<Finding> = []
  let forPkce: Registered | undefined
  for (const { id, title } of knownClients) {
    const metadata = registrationOf(id, port)
    if (metadata === undefined) continue
    const found = (fault: FaultId, why: string) => finding(fault, `${title}: ${why}`, [title])
    const answer = yield* Effect.option(ask(`${target.origin}/register`, { method: "POST", body: metadata }))
    if (answer._tag === "None") {
      findings.push(found("registration-refused", "no answer"))
      continue
    }
    if (answer.value.status === 429) return [...findings, finding("registration-limited", title)]
    const { json, status } = answer.value
    const clientId = json?.["client_id"]
    if (status !== 201 || !Predicate.isString(clientId)) {
      findings.push(found("registration-refused", headline(answer.value)))
      continue
    }
    const method = json?.["token_endpoint_auth_method"]
    if (method !== "none") findings.push(found("registration-secret", String(method)))
    const sent = listOf({ ...answer.value, json: metadata }, "redirect_uris")
    const taken = listOf(answer.value, "redirect_uris").filter((uri) => sent.includes(uri))
    const dropped = sent.filter((uri) => !taken.includes(uri))
    if (dropped.length > 0) findings.push(found("redirect-dropped", dropped.join(" ")))
    for (const redirectUri of taken) {
      const page = yield* consent(target, { clientId, redirectUri })
      if (page !== undefined) findings.push(found("consent-refused", `${redirectUri}: ${page}`))
    }
    const loopback = taken.find((uri) => URL.canParse(uri) && isLoopback(new URL(uri).hostname))
    if (loopback === undefined || !loopback.includes(`:${port}`)) continue
    forPkce ??= { clientId, redirectUri: loopback }
    const next = { clientId, redirectUri: loopback.replace(`:${port}`, `:${nextPort}`) }
    const page = yield* consent(target, next)
    if (page !== undefined) findings.push(found("loopback-port", page))
  }
  return forPkce === undefined ? findings : [...findings, ...(yield* demands(target, forPkce))]
})

/** What is wrong with the answer to an authorization request, if it is no page that asks the person. */
const consent = Effect.fnUntraced(function* (target: Target, registered: Registered) {
  const answer = yield* Effect.option(ask(authorizeAddress(target, registered)))
  if (answer._tag === "None") return "no answer"
  return isConsent(answer.value) ? undefined : headline(answer.value)
})

const isConsent = ({ status, text }: Answer): boolean => status === 200 && text.includes('name="decision"')

/** What the server demands of every sign-in: PKCE with S256, and that its page stands alone. */
const demands = Effect.fnUntraced(function* (target: Target, registered: Registered) {
  const without: ReadonlyArray<readonly [FaultId, object]> = [
    ["pkce-not-demanded", {}],
    ["plain-pkce", { code_challenge: pkce.code_challenge, code_challenge_method: "plain" }]
  ]
  const refused = yield* Effect.forEach(without, ([id, parameters]) =>
    Effect.match(ask(authorizeAddress(target, registered, parameters)), {
      onFailure: () => [],
      onSuccess: (answer) => (isConsent(answer) ? [finding(id, `${target.origin}/authorize`)] : [])
    })
  )
  const framable = yield* Effect.match(ask(authorizeAddress(target, registered)), {
    onFailure: () => [],
    onSuccess: ({ headers }) =>
      headers["x-frame-options"] === undefined &&
      headers["content-security-policy"]?.includes("frame-ancestors 'none'") !== true
        ? [finding("framable", `${target.origin}/authorize`)]
        : []
  })
  return [...refused.flat(), ...framable]
})

/**
 * Asks to sign in as each client whose metadata document is known: the server has to read it from the internet, so a
 * server on this machine is not asked.
 */
export const documents = (target: Target) =>
  Effect.forEach(target.local ? [] : knownClients, ({ id, title }) => {
    const { document, redirectUris } = behaviours[id] ?? {}
    if (document === undefined || redirectUris === undefined) return Effect.succeed([])
    return Effect.map(consent(target, { clientId: document, redirectUri: redirectUris(port)[0] }), (page) =>
      page === undefined ? [] : [finding("document-refused", `${document}: ${page}`, [title])]
    )
  }).pipe(Effect.map((found) => found.flat()))
