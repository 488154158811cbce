import type { McpServer } from "@modelcontextprotocol/server"

import type { GrantId } from "../domain/Identity.ts"
import type { McpSessionId } from "./Session.ts"
import type { SessionTransport } from "./SessionTransport.ts"

/** A server in memory and the transport that its session is reached by. */
export interface Live {
  readonly server: McpServer
  readonly transport: SessionTransport
  /** Whose session it is. */
  readonly grantId: GrantId
}

/**
 * The servers that are held in memory, at most `capacity`. One that is at work stays; of the others the one that was
 * left alone the longest goes first. What it knew is stored, so that its session does not notice.
 */
export class LiveServers {
  readonly #capacity: number
  readonly #places = new Map<McpSessionId, Place>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many requests wait for their answer: those of the sessions of one grant, or of all. */
  unanswered(grantId?: GrantId): number {
    return [...this.#places.values()]
      .filter(({ made }) => grantId === undefined || made?.grantId === grantId)
      .reduce((sum, { made }) => sum + (made?.transport.unanswered ?? 0), 0)
  }

  /** How many requests of a session wait for their answer. */
  unansweredOf(id: McpSessionId): number {
    return this.#places.get(id)?.made?.transport.unanswered ?? 0
  }

  /** The session's server, made once for all who ask at the same time. Undefined: every place is taken by one at work. */
  get(id: McpSessionId, make: () => Promise<Live>): Promise<Live> | undefined {
    const known = this.#places.get(id)
    if (known === undefined && !this.#makeRoom()) return undefined
    const place = known ?? this.#keep(id, make())
    this.#places.delete(id)
    this.#places.set(id, place)
    return place.live
  }

  /** Lets a server go; its requests are aborted. */
  async drop(id: McpSessionId): Promise<void> {
    const place = this.#places.get(id)
    this.#places.delete(id)
    // Whoever asked for a server that could not be made was told.
    const live = await place?.live.catch(() => undefined)
    await live?.server.close()
  }

  #keep(id: McpSessionId, made: Promise<Live>): Place {
    const live = made.then(
      (live) => {
        place.made = live
        return live
      },
      (error: unknown) => {
        if (this.#places.get(id) === place) this.#places.delete(id)
        throw error
      }
    )
    const place: Place = { live, made: undefined }
    return place
  }

  #makeRoom(): boolean {
    if (this.#places.size < this.#capacity) return true
    for (const [id, { made }] of this.#places) {
      if (made === undefined || made.transport.unanswered > 0) continue
      // Nothing waits for an idle server, and its session lives on.
      this.drop(id).catch(() => {})
      return true
    }
    return false
  }
}

interface Place {
  readonly live: Promise<Live>
  /** What `live` resolved to. */
  made: Live | undefined
}
