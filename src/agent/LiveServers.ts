import type { McpServer } from "@modelcontextprotocol/server"

import type { McpSessionId } from "./Session.ts"
import type { SessionTransport } from "./SessionTransport.ts"

/** A server in memory and the transport that its session is reached by. */
export interface Live {
  readonly server: McpServer
  readonly transport: SessionTransport
}

/**
 * The servers that are held in memory, at most `capacity`. One that is at work stays; of the others the one that was
 * left alone the longest goes first. What it knew is stored, so that its session does not notice.
 */
export class LiveServers {
  readonly #capacity: number
  readonly #live = new Map<McpSessionId, Promise<Live>>()
  readonly #transports = new Map<McpSessionId, SessionTransport>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many requests of all sessions wait for their answer. */
  get unanswered(): number {
    return [...this.#transports.values()].reduce((sum, { unanswered }) => sum + unanswered, 0)
  }

  get size(): number {
    return this.#live.size
  }

  /** The session's server, made once for all who ask at the same time. Undefined: every place is taken by one at work. */
  get(id: McpSessionId, make: () => Promise<Live>): Promise<Live> | undefined {
    const known = this.#live.get(id)
    if (known === undefined && !this.#makeRoom()) return undefined
    const live = known ?? this.#keep(id, make())
    this.#live.delete(id)
    this.#live.set(id, live)
    return live
  }

  /** Lets a server go; its requests are aborted. */
  async drop(id: McpSessionId): Promise<void> {
    const live = this.#live.get(id)
    this.#live.delete(id)
    this.#transports.delete(id)
    if (live !== undefined) await (await live).server.close()
  }

  #keep(id: McpSessionId, made: Promise<Live>): Promise<Live> {
    return made.then(
      (live) => {
        this.#transports.set(id, live.transport)
        return live
      },
      (error: unknown) => {
        this.#live.delete(id)
        throw error
      }
    )
  }

  #makeRoom(): boolean {
    if (this.#live.size < this.#capacity) return true
    for (const id of this.#live.keys()) {
      const transport = this.#transports.get(id)
      if (transport === undefined || transport.unanswered > 0) continue
      // Nothing waits for an idle server, and its session lives on.
      this.drop(id).catch(() => {})
      return true
    }
    return false
  }
}
