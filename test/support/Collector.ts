import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

/** A span as it was exported (OTLP/HTTP, JSON). */
export interface ExportedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly startTimeUnixNano: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
}

/** A point of a metric that counts. */
export interface ExportedCount {
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
}

interface Batch {
  readonly resourceSpans?: ReadonlyArray<{
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<ExportedSpan> }>
  }>
  readonly resourceMetrics?: ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{
      readonly metrics: ReadonlyArray<{
        readonly name: string
        readonly sum?: { readonly dataPoints: ReadonlyArray<{ readonly attributes: ReadonlyArray<Attribute> }> }
      }>
    }>
  }>
}

/** An OpenTelemetry collector on a port of its own, which takes OTLP over HTTP as JSON, or never answers. */
export class Collector {
  /** What was posted, by path. */
  readonly received: Array<{ readonly path: string; readonly body: string }> = []
  /** Exports that are not answered. */
  readonly open = new Set<ServerResponse>()
  hangs = false
  readonly #server = createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8")
    request.on("data", (text: string) => (body += text))
    request.on("end", () => {
      this.received.push({ path: request.url ?? "", body })
      if (this.hangs) this.open.add(response)
      else response.setHeader("content-type", "application/json").end("{}")
    })
  })

  static async start(): Promise<Collector> {
    const collector = new Collector()
    await new Promise<void>((resolve) => collector.#server.listen(0, "127.0.0.1", resolve))
    return collector
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://127.0.0.1:${port}`
  }

  get #batches(): ReadonlyArray<Batch> {
    return this.received.map(({ body }) => JSON.parse(body) as Batch)
  }

  get spans(): ReadonlyArray<ExportedSpan> {
    return this.#batches.flatMap(({ resourceSpans = [] }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    )
  }

  get counts(): ReadonlyArray<ExportedCount> {
    return this.#batches.flatMap(({ resourceMetrics = [] }) =>
      resourceMetrics.flatMap(({ scopeMetrics }) =>
        scopeMetrics.flatMap(({ metrics }) =>
          metrics.flatMap(({ name, sum }) =>
            (sum?.dataPoints ?? []).map(({ attributes }) => ({
              name,
              attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
            }))
          )
        )
      )
    )
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}
