import { once } from "node:events"
import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"

interface Exchange {
  readonly method: string
  readonly status: number
}

/**
 * An address on loopback that leads to a server and notes what goes through. While the server is being replaced it has
 * the clients wait, as Cloudflare does.
 */
export class Watched {
  readonly #server = createServer()
  /** Since the last `forget`. */
  exchanges: Array<Exchange> = []

  static async make(target: string): Promise<Watched> {
    const watched = new Watched(new URL(target))
    watched.#server.listen(0, "localhost")
    await once(watched.#server, "listening")
    return watched
  }

  private constructor({ hostname, port, host }: URL) {
    this.#server.on("request", (incoming, outgoing) => {
      const { method = "GET", url: path, headers } = incoming
      const body = buffer(incoming)
      const forward = () => {
        const onward = request({ hostname, port, method, path, headers: { ...headers, host } }, (answer) => {
          this.exchanges.push({ method, status: answer.statusCode ?? 0 })
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          outgoing.flushHeaders()
          answer.pipe(outgoing)
          answer.on("error", () => outgoing.destroy())
        })
        onward.on("error", () => {
          if (outgoing.headersSent || outgoing.destroyed) outgoing.destroy()
          else setTimeout(forward, 100)
        })
        outgoing.on("close", () => onward.destroy())
        body.then(
          (bytes) => onward.end(bytes),
          () => onward.destroy()
        )
      }
      forward()
    })
  }

  get address(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}/mcp`
  }

  forget(): void {
    this.exchanges = []
  }

  statuses(method: string): ReadonlyArray<number> {
    return this.exchanges.filter((exchange) => exchange.method === method).map(({ status }) => status)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, "close")
  }
}
