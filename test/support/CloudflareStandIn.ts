import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"

interface Namespace {
  readonly id: string
  readonly title: string
}

/** What a request did to the account. */
export interface Change {
  readonly method: string
  readonly path: string
}

const account = "acc0123456789abcdef0123456789abc"

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let body = ""
  for await (const part of request) body += String(part)
  return body
}

/** The part of Cloudflare's API that `clerk-mcp setup` has wrangler call: KV namespaces, Workers and their secrets. */
export class CloudflareStandIn {
  readonly namespaces: Array<Namespace> = []
  /** The secrets of each Worker, by its name. */
  readonly workers = new Map<string, Map<string, string>>()
  /** What was deployed last of each Worker: the form, with all its modules. */
  readonly uploads = new Map<string, string>()
  readonly changes: Array<Change> = []
  /** Runs after a change was made, before it is answered. */
  afterChange: (change: Change) => void = () => {}
  /** Whether the token is taken. */
  authenticates = true
  accounts: ReadonlyArray<string> = [account]
  readonly #server: Server
  url = ""

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
  }

  static async start(): Promise<CloudflareStandIn> {
    const standIn = new CloudflareStandIn()
    await new Promise<void>((resolve) => standIn.#server.listen(0, "127.0.0.1", resolve))
    const address = standIn.#server.address()
    if (address === null || typeof address === "string") throw new Error("no port")
    standIn.url = `http://127.0.0.1:${address.port}`
    return standIn
  }

  /** How wrangler finds it. */
  get environment() {
    return { CLOUDFLARE_API_BASE_URL: this.url, CLOUDFLARE_API_TOKEN: "stand-in-token" }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { errors = [], result, status = 200 } = await this.#answer(request)
    response.writeHead(status, { "content-type": "application/json" })
    const info = { page: 1, per_page: 1000, count: 1, total_count: 1, total_pages: 1 }
    response.end(JSON.stringify({ success: status < 400, errors, messages: [], result, result_info: info }))
  }

  async #answer(request: IncomingMessage): Promise<{
    readonly result: unknown
    readonly status?: number
    readonly errors?: ReadonlyArray<{ readonly code: number; readonly message: string }>
  }> {
    const { method = "GET" } = request
    const body = await bodyOf(request)
    const { pathname: path, searchParams } = new URL(request.url ?? "", this.url)
    if (!this.authenticates) {
      return { result: null, status: 401, errors: [{ code: 10000, message: "Authentication error" }] }
    }
    const changed = <A>(result: A) => {
      const change = { method, path }
      this.changes.push(change)
      this.afterChange(change)
      return { result }
    }
    const accounts = this.accounts.map((id) => ({ id, name: `Account ${id}` }))
    if (path === "/accounts") return { result: accounts }
    if (path === "/memberships") return { result: accounts.map((one) => ({ id: `m-${one.id}`, account: one })) }
    if (path.endsWith("/storage/kv/namespaces")) {
      // wrangler asks for pages until one is empty.
      if (method === "GET") return { result: (searchParams.get("page") ?? "1") === "1" ? this.namespaces : [] }
      const { title } = JSON.parse(body) as Namespace
      const made = { id: `kv${this.namespaces.length + 1}`.padEnd(32, "0"), title }
      this.namespaces.push(made)
      return changed(made)
    }
    if (path.endsWith("/workers/subdomain")) return { result: { subdomain: "team" } }
    const [, deployed] = /\/workers\/workers\/([^/]+)$/u.exec(path) ?? []
    if (deployed !== undefined && this.workers.has(deployed)) {
      const subdomain = { enabled: true, previews_enabled: false }
      return { result: { id: deployed, name: deployed, tags: [], subdomain } }
    }
    const [, worker = "", rest = ""] = /\/workers\/scripts\/([^/]+)(.*)$/u.exec(path) ?? []
    if (rest === "" && method === "PUT") {
      if (!this.workers.has(worker)) this.workers.set(worker, new Map())
      this.uploads.set(worker, body)
      return changed({
        id: worker,
        tag: "1",
        etag: "1",
        deployment_id: "d1",
        entry_point: "worker.js",
        startup_time_ms: 1
      })
    }
    const secrets = this.workers.get(worker)
    if (secrets === undefined) {
      const message = "This Worker does not exist on your account."
      return { result: null, status: 404, errors: [{ code: 10007, message }] }
    }
    if (rest === "/secrets-bulk") {
      const { secrets: put } = JSON.parse(body) as { secrets: Record<string, { text: string }> }
      for (const [name, { text }] of Object.entries(put)) secrets.set(name, text)
      return changed({})
    }
    if (rest === "/script-settings") return changed({})
    if (rest === "/subdomain") {
      const result = { enabled: true, previews_enabled: false }
      return method === "GET" ? { result } : changed(result)
    }
    if (rest === "/secrets") return { result: [...secrets.keys()].map((name) => ({ name, type: "secret_text" })) }
    return { result: null, status: 404, errors: [{ code: 7003, message: `no ${path}` }] }
  }
}
