// Workers have it under `nodejs_compat`.
// oxlint-disable-next-line import/no-nodejs-modules
import { AsyncLocalStorage } from "node:async_hooks"

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Tracer from "effect/Tracer"

/** One observation. `value` is 1 for what is counted, and a number of milliseconds for what takes time. */
export interface Measured {
  readonly name:
    | "mcp.calls"
    | "mcp.sign_ins"
    | "mcp.tokens.refused"
    | "mcp.token_requests"
    | "mcp.sessions.opened"
    | "clerk.request.duration"
    | "clerk.rate_limited"
  readonly value: number
  /** From small sets of words only. Holds nothing of a person. */
  readonly attributes: Readonly<Record<string, string>>
}

/** Takes a measurement. Nobody does, unless telemetry is exported. */
export const Measure = Context.Reference<((measured: Measured) => void) | undefined>(
  "observability/Telemetry/Measure",
  {
    defaultValue: () => undefined
  }
)

/** Counts something that happened. */
export const count = (name: Measured["name"], attributes: Measured["attributes"]): Effect.Effect<void> =>
  Effect.map(Measure, (measure) => measure?.({ name, value: 1, attributes }))

/** The span of the program that runs, where telemetry is exported. */
const exported: Effect.Effect<Tracer.Span | undefined> = Effect.flatMap(Measure, (measure) =>
  measure === undefined ? Effect.undefined : Effect.map(Effect.option(Effect.currentSpan), Option.getOrUndefined)
)

const parse = (traceparent: unknown): Tracer.ExternalSpan | undefined =>
  typeof traceparent === "string"
    ? Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromInput({ traceparent })))
    : undefined

/** Calls an object: within a span whose `traceparent` (W3C Trace Context) the object is told, if telemetry is exported. */
export const hop = <A, E>(
  operation: string,
  call: (traceparent: string | undefined) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.flatMap(Measure, (measure) =>
    measure === undefined
      ? call(undefined)
      : Effect.useSpan(`AccountObject.${operation}`, { kind: "client" }, (span) =>
          Effect.suspend(() => call(HttpTraceContext.toHeaders(span)["traceparent"]))
        )
  )

const calling = new AsyncLocalStorage<Tracer.AnySpan>()

/** Runs a call that came with a `traceparent`: the programs that it runs belong to that trace. */
export const arrived = <A>(traceparent: string | undefined, run: () => Promise<A>): Promise<A> => {
  const span = parse(traceparent)
  return span === undefined ? run() : calling.run(span, run)
}

/** A program within the call that is being served. */
export const within = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const span = calling.getStore()
  return span === undefined ? program : (Effect.withParentSpan(program, span) as Effect.Effect<A, E, R>)
}

/** The spans of requests on their way through the protocol's SDK, whose handlers are promises. */
const requests = new WeakMap<object, Tracer.AnySpan>()

/** Remembers the span that runs for a request, by what the SDK hands to its handlers. */
export const remember = (key: object): Effect.Effect<void> =>
  Effect.map(exported, (span) => {
    if (span !== undefined) requests.set(key, span)
  })

/** What serves one message, in the trace of its request and linked to the span that the client names (MCP, `_meta`). */
export const message = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  { key, method, meta }: { readonly key: object | undefined; readonly method: string; readonly meta: unknown }
): Effect.Effect<A, E, R> => {
  const parent = key === undefined ? undefined : requests.get(key)
  if (parent === undefined) return program
  const span = parse(Predicate.hasProperty(meta, "traceparent") ? meta.traceparent : undefined)
  const links = span === undefined ? [] : [{ span, attributes: {} }]
  return Effect.withSpan(program, method, { kind: "server", parent, links }) as Effect.Effect<A, E, R>
}
