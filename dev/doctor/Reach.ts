import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { type Finding, finding } from "./Faults.ts"
import { type Answer, ask } from "./Probe.ts"
import type { Target } from "./Target.ts"

/** How far clocks may be apart, in milliseconds: the header `Date` has whole seconds, and the answer travels. */
const tolerance = 60_000

const isTls = (code: string): boolean => /CERT|TLS|SSL|EPROTO|SELF_SIGNED|UNABLE_TO/u.test(code)

/** Whether the server is there and is one of ours. Where it is not, nothing else is looked at. */
export const reach = Effect.fnUntraced(function* ({ origin, local }: Target) {
  if (origin.startsWith("http:") && !local) return { findings: [finding("plain-http", origin)], stop: true }
  const url = `${origin}/health`
  const answer = yield* ask(url, { headers: { accept: "text/plain" } }).pipe(
    Effect.catchTag("NoAnswer", ({ code }) =>
      Effect.succeed(finding(isTls(code) ? "tls" : "no-answer", `${url}: ${code}`))
    )
  )
  if ("id" in answer) return { findings: [answer], stop: true }
  const { status, text, json } = answer
  if (status === 500 && text.startsWith("This server is not set up yet")) {
    return { findings: [finding("not-set-up", text.slice(text.indexOf(":") + 1).trim())], stop: true }
  }
  if (json?.["status"] !== "ok") return { findings: [finding("another-server", `${url}: ${status}`)], stop: true }
  return { findings: [...(yield* clock(answer)), ...(yield* transport(origin, answer))], stop: false }
})

const clock = Effect.fnUntraced(function* ({ headers }: Answer) {
  const now = yield* Clock.currentTimeMillis
  const server = Date.parse(headers["date"] ?? "")
  const seconds = Math.round((server - now) / 1_000)
  const differs = Math.abs(server - now) > tolerance
  return differs ? [finding("clock", `the server is ${Math.abs(seconds)} s ${seconds > 0 ? "ahead" : "behind"}`)] : []
})

const transport = Effect.fnUntraced(function* (origin: string, { headers }: Answer) {
  if (!origin.startsWith("https:")) return []
  const findings: Array<Finding> = []
  if (headers["strict-transport-security"] === undefined) findings.push(finding("no-hsts", origin))
  const plain = `http:${origin.slice("https:".length)}/health`
  const answer = yield* Effect.option(ask(plain))
  if (answer._tag === "Some") {
    const { status, headers } = answer.value
    const leadsOn = status >= 301 && status <= 308 && headers["location"]?.startsWith("https:") === true
    if (!leadsOn && status < 400) findings.push(finding("http-served", plain))
  }
  return findings
})
