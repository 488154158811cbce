import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** What a client sends, as far as a fault can change it. */
export interface Sent {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** What a client gets. */
export interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** One thing that stands between a client and a server which is in order, and breaks it. */
export interface Fault {
  /** Changes what reaches the server, or answers instead of it. */
  readonly request?: (sent: Sent) => Sent | Got
  /** Changes what the server answered. */
  readonly response?: (got: Got, sent: Sent) => Got
}

const bodyOf = async (message: IncomingMessage): Promise<string> => {
  const parts: Array<Buffer> = []
  for await (const part of message) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

const single = (headers: IncomingMessage["headers"]): Sent["headers"] =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value])
  )

const written = (headers: Sent["headers"]): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))

/** Stands in front of a server on another port, and breaks what it is told to. */
export class FaultyProxy {
  fault: Fault = {}
  readonly #server
  #client = 0

  private constructor(port: number) {
    const passed = ({ method, path, headers, body }: Sent) =>
      new Promise<Got>((resolve, reject) => {
        // The server limits what comes from one address.
        const through = {
          ...written(headers),
          "accept-encoding": "identity",
          "cf-connecting-ip": `192.0.2.${this.#client++ % 250}`,
          "content-length": String(Buffer.byteLength(body))
        }
        const onward = request({ host: "localhost", port, method, path, headers: through }, (answer) => {
          bodyOf(answer).then(
            (text) => resolve({ status: answer.statusCode ?? 502, headers: single(answer.headers), body: text }),
            reject
          )
        })
        onward.on("error", reject)
        onward.end(body)
      })
    const answered = async (incoming: IncomingMessage): Promise<Got> => {
      const { method = "GET", url: path = "/" } = incoming
      const sent: Sent = { method, path, headers: single(incoming.headers), body: await bodyOf(incoming) }
      const { request: before, response: after } = this.fault
      const changed = before?.(sent) ?? sent
      const got = "status" in changed ? changed : await passed(changed)
      return after?.(got, sent) ?? got
    }
    const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
      try {
        const { status, headers, body } = await answered(incoming)
        const { "transfer-encoding": _, "content-length": __, ...rest } = written(headers)
        outgoing.writeHead(status, rest).end(incoming.method === "HEAD" ? undefined : body)
      } catch {
        outgoing.destroy()
      }
    }
    this.#server = createServer((incoming, outgoing) => void answer(incoming, outgoing))
  }

  /** `at` is its own port, `port` that of the server. */
  static async open(at: number, port: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(port)
    await new Promise<void>((resolve) => proxy.#server.listen(at, "localhost", resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
