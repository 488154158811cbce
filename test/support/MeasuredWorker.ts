import { unstable_startWorker as startWorker } from "wrangler"

interface Usage {
  readonly usedSize: number
  readonly embedderHeapUsedSize: number
  readonly backingStorageSize: number
}

/** The debugger of a Worker (Chrome DevTools Protocol). */
const attach = async (inspector: URL) => {
  const [target] = await (
    await fetch(new URL("/json", inspector))
  ).json<
    ReadonlyArray<{
      readonly webSocketDebuggerUrl: string
    }>
  >()
  // Wrangler lets pages of this machine in, and no others. Node takes headers where the platform's types have protocols.
  const local = { headers: { origin: "http://localhost" } } as unknown as Array<string>
  const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "", local)
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve)
    socket.addEventListener("error", reject)
  })
  const waiting = new Map<number, (result: unknown) => void>()
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { readonly id?: number; readonly result?: unknown }
    if (id !== undefined) waiting.get(id)?.(result)
  })
  let asked = 0
  const ask = (method: string) =>
    new Promise<unknown>((resolve) => {
      const id = ++asked
      waiting.set(id, resolve)
      socket.send(JSON.stringify({ id, method }))
    })
  return { ask, close: () => socket.close() }
}

/**
 * A Worker in workerd whose memory can be measured. All objects of a Worker live in one isolate there, so that their
 * number divides what they take. What workerd itself keeps of them, SQLite's pages above all, is outside of the heap.
 */
export class MeasuredWorker {
  readonly #worker: Awaited<ReturnType<typeof startWorker>>
  readonly #url: URL
  readonly #debugger: Awaited<ReturnType<typeof attach>>

  private constructor(
    worker: Awaited<ReturnType<typeof startWorker>>,
    url: URL,
    attached: Awaited<ReturnType<typeof attach>>
  ) {
    this.#worker = worker
    this.#url = url
    this.#debugger = attached
  }

  static async start(entrypoint: string, settings: Readonly<Record<string, string>>): Promise<MeasuredWorker> {
    // Wrangler writes NODE_ENV into the bundle, and Clerk's SDK has a path for "test" that does not work on Workers.
    process.env["NODE_ENV"] = "production"
    // Wrangler would ask Cloudflare where this machine is.
    process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false"
    const texts = Object.entries(settings).map(([name, value]) => [name, { type: "plain_text" as const, value }])
    const worker = await startWorker({
      entrypoint,
      config: "test/server/fixture/wrangler.jsonc",
      bindings: Object.fromEntries(texts),
      dev: { server: { port: 0 }, inspector: { port: 0 }, persist: false, logLevel: "error", watch: false }
    })
    const [url, inspector] = await Promise.all([worker.url, worker.inspectorUrl])
    if (inspector === undefined) throw new Error("no debugger")
    return new MeasuredWorker(worker, url, await attach(inspector))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#debugger.close()
    await this.#worker.dispose()
  }

  async post(body: unknown): Promise<void> {
    const answer = await fetch(this.#url, { method: "POST", body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`The Worker answered ${answer.status}, and logged why`)
  }

  /** Bytes of the isolate's heap that are in use, once what nobody uses was collected. */
  async heap(): Promise<number> {
    for (let round = 0; round < 2; round++) {
      const collected = this.#debugger.ask("HeapProfiler.collectGarbage").then(() => true)
      // V8 collects in a task of its own, which workerd runs when a request enters the isolate.
      while (!(await Promise.race([collected, this.#enter()])));
    }
    const usage = (await this.#debugger.ask("Runtime.getHeapUsage")) as Usage
    return usage.usedSize + usage.embedderHeapUsedSize + usage.backingStorageSize
  }

  async #enter(): Promise<false> {
    await (await fetch(this.#url)).text()
    return false
  }
}
