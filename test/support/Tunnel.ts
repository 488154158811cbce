import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"

/**
 * A tunnel from a public https address to a port of this machine. As such programs do, it ends TLS, keeps `Host` and
 * says in `X-Forwarded-Proto` what the client spoke.
 */
export class Tunnel {
  readonly #server
  readonly #publicUrl: string

  private constructor(publicUrl: string, port: number) {
    this.#publicUrl = publicUrl
    const { host } = new URL(publicUrl)
    this.#server = createServer((incoming, outgoing) => {
      const { method, url: path, headers } = incoming
      const through = { ...headers, host, "x-forwarded-proto": "https" }
      const passed = request({ host: "localhost", port, method, path, headers: through }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        outgoing.flushHeaders()
        answer.on("error", () => outgoing.destroy()).pipe(outgoing)
      })
      passed.on("error", () => outgoing.destroy())
      outgoing.on("close", () => passed.destroy())
      incoming.pipe(passed)
    })
  }

  static async open(publicUrl: string, port: number): Promise<Tunnel> {
    const tunnel = new Tunnel(publicUrl, port)
    await new Promise<void>((resolve) => tunnel.#server.listen(0, "127.0.0.1", resolve))
    return tunnel
  }

  /** `fetch` of somebody on the internet, for whom the public address leads into the tunnel. */
  fetch(direct: typeof fetch): typeof fetch {
    return (input, init) => {
      const { origin, pathname, search } = new URL(input instanceof Request ? input.url : input)
      if (origin !== this.#publicUrl) return direct(input, init)
      const { port } = this.#server.address() as AddressInfo
      const entry = `http://127.0.0.1:${port}${pathname}${search}`
      return direct(input instanceof Request ? new Request(entry, input) : entry, init)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
