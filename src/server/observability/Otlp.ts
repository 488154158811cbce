import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpLogger from "effect/observability/OtlpLogger"
import * as OtlpMetrics from "effect/observability/OtlpMetrics"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

import { jsonLines } from "./Log.ts"
import { Measure, type Measured } from "./Telemetry.ts"

/** Where telemetry goes, and as whose. */
interface Options {
  readonly endpoint: URL
  readonly headers: Readonly<Record<string, string>>
  readonly serviceName: string
  readonly serviceVersion: string
  /** The host's `waitUntil`. */
  readonly keepAlive: (work: Promise<unknown>) => void
}

/** How many spans and lines wait for an export at most: those beyond are left out. */
const most = 2_048
/** How long an export may take, and how long a collector is left alone after one that took longer, in milliseconds. */
const patience = 3_000
const leftAlone = 60_000

/** What a span may tell. All else, such as addresses and headers, may be somebody's secret. */
const attributes = new Set(["http.request.method", "http.response.status_code", "http.route", "server.address"])

/** A failure by its kind: its message may repeat what a person sent. */
const redacted = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return exit
  const failure: unknown = Cause.squash(exit.cause)
  const name = failure instanceof Error ? failure.name : typeof failure
  return Exit.die(Object.assign(new Error(name), { name, stack: name }))
}

const bounds = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000]

const metricOf = ({ name, attributes }: Measured) =>
  name === "clerk.request.duration"
    ? Metric.histogram(name, { boundaries: bounds, attributes: { ...attributes, unit: "ms" } })
    : Metric.counter(name, { incremental: true, attributes })

/**
 * Traces, metrics and logs over OTLP/HTTP as JSON (OpenTelemetry). What a request left is exported once its span has
 * ended, by `waitUntil`, one export at a time. Workers allow no timers outside of requests, and a timer would keep an
 * object from sleeping: there are none.
 */
export const layer = ({ endpoint, headers, serviceName, serviceVersion, keepAlive }: Options): Layer.Layer<never> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const exports: Array<Effect.Effect<void>> = []
      const flusher = OtlpExporter.Flusher.of({
        flush: Effect.void,
        register: (run) => Effect.sync(() => void exports.push(run))
      })
      const registry = new Map()
      const base = endpoint.href.replace(/\/$/u, "")
      const at = (signal: string) => ({
        url: `${base}/v1/${signal}`,
        headers,
        resource: { serviceName, serviceVersion },
        maxBatchSize: Infinity
      })
      const [tracer, logger] = yield* Effect.all([
        OtlpTracer.make(at("traces")),
        OtlpLogger.make(at("logs")),
        OtlpMetrics.make({ ...at("metrics"), temporality: "delta" })
      ]).pipe(
        Effect.provideService(OtlpExporter.Flusher, flusher),
        Effect.provideService(Metric.MetricRegistry, registry),
        // The exporters would wake up now and then.
        Effect.provideService(Clock.Clock, {
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
          currentTimeMillis: clock.currentTimeMillis,
          currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
          currentTimeNanos: clock.currentTimeNanos,
          monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
          monotonicTimeNanos: clock.monotonicTimeNanos,
          sleep: () => Effect.never
        })
      )

      let [waiting, quietUntil, since, again, measured] = [0, 0, -Infinity, false, false]
      const takes = () => waiting < most && clock.currentTimeMillisUnsafe() >= quietUntil && ++waiting > 0

      const flush = Effect.gen(function* () {
        do {
          // What else this request and others leave goes with it.
          yield* Effect.sleep("50 millis")
          again = false
          waiting = 0
          const now = measured ? exports : exports.slice(0, 2)
          measured = false
          const done = yield* Effect.timeoutOption(
            Effect.all(now, { concurrency: "unbounded", discard: true }),
            patience
          )
          if (Option.isNone(done)) quietUntil = clock.currentTimeMillisUnsafe() + leftAlone
        } while (again && clock.currentTimeMillisUnsafe() >= quietUntil)
      }).pipe(Effect.withTracerEnabled(false), Effect.ensuring(Effect.sync(() => void (since = -Infinity))))

      const run = Effect.runPromiseWith(yield* Effect.context())
      const plan = () => {
        const now = clock.currentTimeMillisUnsafe()
        if (now < quietUntil) return
        again = true
        // An export whose request was taken down ends without a word.
        if (now - since < 3 * patience) return
        since = now
        keepAlive(run(flush))
      }

      const traced = Tracer.make({
        span: (options) => {
          const span = tracer.span({ ...options, sampled: options.sampled && takes() })
          const { end, attribute } = { end: span.end.bind(span), attribute: span.attribute.bind(span) }
          const isFirst = Option.isNone(options.parent) || options.parent.value._tag === "ExternalSpan"
          return Object.assign(span, {
            attribute: (key: string, value: unknown) => (attributes.has(key) ? attribute(key, value) : undefined),
            event: () => {},
            end: (endTime: bigint, exit: Exit.Exit<unknown, unknown>) => {
              end(endTime, redacted(exit))
              if (isFirst) plan()
            }
          })
        }
      })
      const lines = Logger.make<unknown, void>((line) => {
        if (!takes()) return
        logger.log({ ...line, cause: Cause.empty })
        plan()
      })
      const context = Context.make(Metric.MetricRegistry, registry)
      const measure = (each: Measured) => {
        measured = true
        metricOf(each).updateUnsafe(each.value, context)
        plan()
      }
      return Context.make(Tracer.Tracer, traced).pipe(
        Context.add(Logger.CurrentLoggers, new Set([jsonLines, lines])),
        Context.add(Measure, measure)
      )
    })
  ).pipe(Layer.provide([FetchHttpClient.layer, OtlpSerialization.layerJson]))
