import type { McpServer, RequestId } from "@modelcontextprotocol/server"

import type { ClientId } from "../domain/Principal.ts"
import type { SessionId } from "./Session.ts"
import type { SessionTransport } from "./SessionTransport.ts"

/** A server in memory, and the transport of its session. */
export interface Live {
  readonly server: McpServer
  readonly transport: SessionTransport
  /** Whose session it is. */
  readonly clientId: ClientId
}

/**
 * The servers in memory: at most `capacity`, beside those that wait for the answer to a question. Idle ones are dropped,
 * least recently used first; their sessions are stored and restored at the next request.
 */
export class LiveServers {
  readonly #capacity: number
  readonly #places = new Map<SessionId, Place>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many requests are being worked on: those of the sessions of one client, or of all. */
  working(clientId?: ClientId): number {
    return this.made
      .filter((live) => clientId === undefined || live.clientId === clientId)
      .reduce((sum, { transport }) => sum + transport.working, 0)
  }

  /** The servers that are made. */
  get made(): ReadonlyArray<Live> {
    return [...this.#places.values()].flatMap(({ made }) => made ?? [])
  }

  /** Whether a session's server has something to do, or waits for a client that is there. */
  isAtWork(id: SessionId): boolean {
    const place = this.#places.get(id)
    return place !== undefined && stateOf(place) !== "idle"
  }

  /** How many requests of a session wait for their answer. */
  unansweredOf(id: SessionId): number {
    return this.#places.get(id)?.made?.transport.unanswered ?? 0
  }

  /** Whether a request of a session waits for its answer. */
  answers(id: SessionId, request: RequestId): boolean {
    return this.#places.get(id)?.made?.transport.answers(request) === true
  }

  /** The session's server, made once for concurrent requests. Undefined if every place is taken by a server at work. */
  get(id: SessionId, make: () => Promise<Live>): Promise<Live> | undefined {
    const known = this.#places.get(id)
    if (known === undefined && !this.#makeRoom()) return undefined
    const place = known ?? this.#keep(id, make())
    this.#places.delete(id)
    this.#places.set(id, place)
    return place.live
  }

  /** Lets a server go; its requests are aborted. */
  async drop(id: SessionId): Promise<void> {
    const place = this.#places.get(id)
    this.#places.delete(id)
    // The request that could not get its server has failed already.
    const live = await place?.live.catch(() => undefined)
    await live?.server.close()
  }

  #keep(id: SessionId, made: Promise<Live>): Place {
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
    const places = [...this.#places].map(([id, place]) => [id, stateOf(place)] as const)
    if (places.filter(([, state]) => state !== "waiting").length < this.#capacity) return true
    for (const [id, state] of places) {
      if (state !== "idle") continue
      // Nothing waits for an idle server, and its session stays stored.
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

/** A server that waits for a client that has left counts as idle. */
const stateOf = ({ made }: Place): "working" | "waiting" | "idle" =>
  made === undefined || made.transport.working > 0 ? "working" : made.transport.isAttended ? "waiting" : "idle"
