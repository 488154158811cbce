import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Tracer from "effect/Tracer"

/**
 * One JSON object a line on the console, where Workers Logs and `wrangler tail` pick it up. Lines of a trace that is
 * exported name it.
 */
export const jsonLines = Logger.withConsoleLog(
  Logger.make<unknown, string>((line) => {
    const { span, tracer } = line.fiber.cache
    if (span === undefined || tracer === Tracer.nativeTracer) return Logger.formatJson.log(line)
    return JSON.stringify({ ...Logger.formatStructured.log(line), traceId: span.traceId, spanId: span.spanId })
  })
)

export const layer: Layer.Layer<never> = Logger.layer([jsonLines])

/** What this isolate has said that it says only once. */
export const Said = Context.Reference<Set<string>>("observability/Log/Said", { defaultValue: () => new Set() })

/** Logs what stays as it is until an operator does something about it: once in an isolate for each `about`. */
export const once = (about: string, log: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.flatMap(Said, (said) => {
    if (said.has(about)) return Effect.void
    said.add(about)
    return log
  })

/**
 * Logs what strangers can cause, at most `most` times a minute, so that nobody floods the log. The next line after
 * that is told how many were left out before it.
 */
export const bounded = (most: number) => {
  let [since, lines, omitted] = [-Infinity, 0, 0]
  return (log: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (now - since >= 60_000) [since, lines] = [now, 0]
      if (lines >= most) return Effect.sync(() => void omitted++)
      const left = omitted === 0 ? {} : { omitted }
      lines++
      omitted = 0
      return Effect.annotateLogs(log, left)
    })
}
