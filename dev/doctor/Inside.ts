import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { HealthReport, type HealthCheck, type HealthPart } from "../../src/server/http/HealthReport.ts"
import { keysOf, operatorToken } from "../OperatorKeys.ts"
import { type FaultId, type Finding, finding } from "./Faults.ts"
import { ask } from "./Probe.ts"
import type { Target } from "./Target.ts"

const decodeReport = Schema.decodeUnknownOption(HealthReport)

/** What the server tells operators of itself, or why it does not. */
const reported = Effect.fnUntraced(function* ({ origin }: Target) {
  const keys = yield* Effect.option(keysOf(origin))
  if (Option.isNone(keys)) return finding("no-key", origin)
  const authorization = `Bearer ${yield* operatorToken(keys.value, origin)}`
  const address = `${origin}/health`
  return yield* Effect.match(ask(address, { headers: { authorization } }), {
    onFailure: ({ code }) => finding("no-report", `${address}: ${code}`),
    onSuccess: ({ status, json }) =>
      status === 401
        ? finding("key-refused", address)
        : Option.getOrElse(decodeReport(json), () => finding("no-report", `${address}: ${status}`))
  })
})

const ofClerk = (refused: FaultId): Readonly<Partial<Record<string, FaultId>>> => ({
  unreachable: "clerk-unreachable",
  refused,
  unexpected: "clerk-unexpected"
})

/** What a problem of a part is, as a fault. What is not listed is unexpected. */
const faultOf: Readonly<Record<HealthPart, Readonly<Partial<Record<string, FaultId>>>>> = {
  clerkApi: ofClerk("clerk-key-refused"),
  clerkKeys: { unreachable: "frontend-api", refused: "frontend-api", "other-instance": "other-instance" },
  clerkApplication: {
    ...ofClerk("client-secret-refused"),
    "no-application": "no-application",
    "no-redirect": "no-redirect",
    "no-openid": "no-openid"
  },
  webhooks: { "not-set": "webhooks-not-set", unreachable: "kv" },
  kv: { unreachable: "kv", "not-kept": "kv" },
  object: { unreachable: "object" }
}

const isPart = (part: string): part is HealthPart => Object.hasOwn(faultOf, part)

const problemOf = (part: string, { problem, code }: HealthCheck): ReadonlyArray<Finding> => {
  if (problem === undefined || !isPart(part)) return []
  return [finding(faultOf[part][problem] ?? "clerk-unexpected", code === undefined ? part : `${part}: ${code}`)]
}

const isOfClerk = (part: string): boolean => part === "clerkKeys" || part === "clerkApplication"

/** How long ago a webhook may have come, in milliseconds. */
const lately = Duration.toMillis(Duration.days(7))

const advice = Effect.fnUntraced(function* (target: Target, { checks, settings }: HealthReport) {
  const { clerkApi, webhooks } = checks
  const findings: Array<Finding> = []
  if (clerkApi?.organizations === false && settings["ORGANIZATIONS"] === "required") {
    findings.push(finding("organizations-off", "ORGANIZATIONS: required"))
  }
  const last = webhooks?.lastDelivery
  const isOld = last === undefined || (yield* Clock.currentTimeMillis) - Date.parse(last) > lately
  if (webhooks !== undefined && webhooks.problem === undefined && isOld) {
    findings.push(finding("no-webhook-lately", last === undefined ? "none so far" : `the last one: ${last}`))
  }
  const frontendApi = settings["CLERK_FRONTEND_API"]
  if (!target.local && frontendApi?.endsWith(".accounts.dev") === true) {
    findings.push(finding("development-instance", frontendApi))
  }
  return findings
})

/** Looks at the server from inside, by its report to operators. */
export const inside = Effect.fnUntraced(function* (target: Target) {
  const report = yield* reported(target)
  if ("id" in report) return { findings: [report], report: undefined }
  // A Clerk that does not answer, or refuses the key, tells nothing of what else is set up there.
  const silent = report.checks["clerkApi"]?.problem !== undefined
  const problems = Object.entries(report.checks).flatMap(([part, check]) =>
    silent && isOfClerk(part) ? [] : problemOf(part, check)
  )
  return { findings: [...problems, ...(yield* advice(target, report))], report }
})
