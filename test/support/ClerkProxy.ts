import { createServer, request as send, type Server } from "node:http"
import type { AddressInfo } from "node:net"

/** Stands before the Backend API of a Clerk stand-in: counts what changes something, and can act before it is answered. */
export class ClerkProxy {
  /** Method and path of what changed something. */
  readonly changes: Array<string> = []
  /** Everything that passed, in both directions. */
  passed = ""
  /** Runs after a change was made, before it is answered. */
  afterChange: () => void = () => {}
  readonly #server: Server

  private constructor(clerk: string) {
    const { hostname, port } = new URL(clerk)
    this.#server = createServer((incoming, outgoing) => {
      const { headers, method = "GET", url: path = "/" } = incoming
      const passed = send({ hostname, port, method, path, headers }, (answer) => {
        if (method !== "GET") {
          this.changes.push(`${method} ${path}`)
          this.afterChange()
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        answer.on("data", (part) => (this.passed += String(part)))
        answer.pipe(outgoing)
      })
      passed.on("error", () => outgoing.destroy())
      incoming.pipe(passed)
    })
  }

  static async before(clerk: string): Promise<ClerkProxy> {
    const proxy = new ClerkProxy(clerk)
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve))
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
