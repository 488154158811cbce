import { Lifecycle } from "agents/lifecycle"
import { DurableObject } from "cloudflare:workers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import { type AccessEvent, AccessEvents } from "../access/AccessEvents.ts"
import type { Counted, Limit } from "../capability/CallLimit.ts"
import type { Write, Written } from "../capability/UserStoreWrite.ts"
import { type AccountStubs, hearInAccount } from "./AccountStub.ts"
import { CallTimes } from "./CallTimes.ts"
import { Erasure } from "./Erasure.ts"
import type { Post, Removal } from "./Session.ts"
import { type Services, SessionHost } from "./SessionHost.ts"
import { UserEntries } from "./UserEntries.ts"

type Env = Readonly<Record<string, unknown>>

/** The adapter through which what runs in the object publishes. */
export type OwnEvents = Layer.Layer<AccessEvents, never, AccountStubs>

/** What the object keeps of its user beside the sessions. */
type Own = UserEntries | CallTimes

/**
 * The one strongly consistent place of a Clerk user, named by the user's id: holds the sessions of 2025-era clients
 * and of clients of `/sse`. Sleeps while they are idle.
 */
export abstract class AccountObject extends DurableObject<Env> {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Services | Own, never>
  readonly #sessions: SessionHost
  readonly #erasure: Erasure
  readonly #lifecycle: Lifecycle<Env>

  /**
   * `layer`: the application as far as sessions need it, built once from the object's own environment, and publishing
   * to the object's own adapter.
   */
  constructor(ctx: DurableObjectState, env: Env, layer: (events: OwnEvents) => Layer.Layer<Services, never, Own>) {
    super(ctx, env)
    const events = ownEvents(ctx.id.name, (event) => this.#act(event))
    const { sql } = ctx.storage
    const own = Layer.merge(UserEntries.layer(sql), CallTimes.layer(sql))
    this.#runtime = ManagedRuntime.make(Layer.provideMerge(layer(events), own))
    this.#sessions = new SessionHost(this.#runtime)
    this.#erasure = new Erasure(this.#runtime)
    this.#lifecycle = Lifecycle.install<Env>(this).use(this.#sessions).use(this.#erasure)
  }

  /** Takes a message of a client. */
  async post(post: Post): Promise<Response> {
    await this.#lifecycle.start()
    return this.#sessions.post(post)
  }

  /** Ends a session. */
  async remove(removal: Removal): Promise<Response> {
    await this.#lifecycle.start()
    return this.#sessions.remove(removal)
  }

  /** Acts on what has changed for the user. */
  async hear(event: AccessEvent): Promise<void> {
    await this.#lifecycle.start()
    return this.#act(event)
  }

  /** The JSON of an entry of the user's store. */
  async readEntry(name: string): Promise<string | null> {
    await this.#lifecycle.start()
    return this.#runtime.runPromise(Effect.flatMap(UserEntries, (entries) => entries.read(name)))
  }

  /** Changes an entry of the user's store. */
  async writeEntry(write: Write): Promise<Written> {
    await this.#lifecycle.start()
    return this.#runtime.runPromise(Effect.flatMap(UserEntries, (entries) => entries.write(write)))
  }

  /** Counts a call of a tool that has a limit. */
  async takeCall(tool: string, limit: Limit): Promise<Counted> {
    await this.#lifecycle.start()
    return this.#runtime.runPromise(Effect.flatMap(CallTimes, (times) => times.take(tool, limit)))
  }

  /** Takes a call off the count. */
  async giveBackCall(tool: string, at: number): Promise<void> {
    await this.#lifecycle.start()
    return this.#runtime.runPromise(Effect.flatMap(CallTimes, (times) => times.giveBack(tool, at)))
  }

  /** Everything here that an event concerns. */
  async #act(event: AccessEvent): Promise<void> {
    await this.#sessions.hear(event)
    await this.#erasure.hear(event)
  }
}

/**
 * The object's own adapter of events, for tools that end a grant while they run in here. What is about its own user it
 * acts on without a call over the network; another user's object is called.
 */
const ownEvents = (ownName: string | undefined, act: (event: AccessEvent) => Promise<void>): OwnEvents =>
  AccessEvents.heardBy(
    Effect.map(
      hearInAccount,
      (tell) => (event: AccessEvent) => (event.userId === ownName ? Effect.promise(() => act(event)) : tell(event))
    )
  )
