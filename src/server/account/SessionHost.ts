import type { CapabilityWebSocketUpgradeContext } from "agents/lifecycle"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"

import type { AccessEvent } from "../access/AccessEvents.ts"
import { RateLimits } from "../access/RateLimits.ts"
import type { AppConfig } from "../config/AppConfig.ts"
import type { ServerFactory } from "../mcp/ServerFactory.ts"
import * as Incident from "../observability/Incident.ts"
import type { Authority } from "./Authority.ts"
import { RetriedJob } from "./RetriedJob.ts"
import { closing, ListenHeader, listenHeader, type Removal } from "./Session.ts"
import { answer, rateLimited, refusal, type SessionFailure } from "./SessionFailure.ts"
import { makeSessions, type Message, type Sessions } from "./Sessions.ts"
import { SessionStore } from "./SessionStore.ts"
import { attachmentOf, SessionStreams } from "./SessionStreams.ts"

/** What sessions need of the application. */
export type Services = ServerFactory | Authority | RateLimits | AppConfig | SecureRandom.SecureRandom

const decodeListen = Schema.decodeUnknownEffect(ListenHeader)

const sweep = "sweep"

/** Runs the sessions on SQLite, hibernating sockets and the alarm of a Durable Object. */
export class SessionHost extends RetriedJob {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Services, never>
  #sessions: Sessions | undefined
  #sweepAt = Infinity

  constructor(runtime: ManagedRuntime.ManagedRuntime<Services, never>) {
    super("sessions")
    this.#runtime = runtime
  }

  override onStart(): void {
    const { storage, sockets, jobs } = this.lifecycle
    const sweepAt = (time: number) => this.#sweepBy(time)
    const store = new SessionStore(storage.sql)
    const now = () => this.#runtime.runSync(Clock.currentTimeMillis)
    const streams = new SessionStreams(store, sockets, now)
    this.#sweepAt = jobs.get(sweep)?.time ?? Infinity
    this.#sessions = this.#runtime.runSync(makeSessions({ store, streams, sweepAt }))
  }

  post(message: Message): Promise<Response> {
    return this.#answer((sessions) =>
      Effect.flatMap(RateLimits, (limits) =>
        Effect.matchEffect(limits.ofUser(message.caller.principal.userId), {
          onFailure: (refused) => Effect.succeed(rateLimited(refused)),
          onSuccess: () => sessions.post(message)
        })
      )
    )
  }

  remove(removal: Removal): Promise<Response> {
    return this.#answer((sessions) => Effect.as(sessions.remove(removal), new Response(null, { status: 200 })))
  }

  hear(event: AccessEvent): Promise<void> {
    return this.#runtime.runPromise(this.#started.hear(event))
  }

  onWebSocketUpgrade({ request }: CapabilityWebSocketUpgradeContext): Promise<Response> | undefined {
    const header = request.headers.get(listenHeader)
    if (header === null) return undefined
    return this.#answer((sessions) =>
      Effect.flatMap(Effect.orDie(decodeListen(decodeURIComponent(header))), sessions.listen)
    )
  }

  /** The Worker sends nothing on a socket. */
  onWebSocketMessage(socket: WebSocket): boolean {
    return attachmentOf(socket) !== undefined
  }

  async onWebSocketClose(socket: WebSocket, code: number): Promise<boolean> {
    const attachment = attachmentOf(socket)
    if (attachment === undefined) return false
    const { session } = attachment
    if (session !== null && code === closing.ended) await this.#runtime.runPromise(this.#started.left(session))
    return true
  }

  onWebSocketError(socket: WebSocket): boolean {
    return attachmentOf(socket) !== undefined
  }

  async work(): Promise<undefined> {
    this.#sweepAt = Infinity
    const next = await this.#runtime.runPromise(this.#started.sweep())
    // Pushed, not returned: a request may have asked for another time in the meantime, and the earlier one counts.
    if (next !== undefined) await this.#sweepBy(next)
  }

  async #sweepBy(time: number): Promise<void> {
    if (time >= this.#sweepAt) return
    this.#sweepAt = time
    try {
      await this.lifecycle.jobs.push({ id: sweep, fn: sweep, time })
    } catch (error) {
      this.#sweepAt = Infinity
      throw error
    }
  }

  get #started(): Sessions {
    if (this.#sessions === undefined) throw new Error("the lifecycle has not started")
    return this.#sessions
  }

  /**
   * A defect becomes an answer here. If it were thrown, the Worker would take the object for unavailable and have the
   * client retry, and the lifecycle would answer an upgrade with a socket that closes at once.
   */
  #answer(run: (sessions: Sessions) => Effect.Effect<Response, SessionFailure, RateLimits>): Promise<Response> {
    return this.#runtime.runPromise(
      Effect.suspend(() => run(this.#started)).pipe(
        Effect.catchTag("SessionFailure", ({ reason }) => Effect.sync(() => answer(reason))),
        Effect.catchDefect((defect) =>
          Effect.map(Incident.report("A session failed unexpectedly", Cause.die(defect)), (reference) =>
            refusal(500, -32603, Incident.apology(reference))
          )
        )
      )
    )
  }
}
