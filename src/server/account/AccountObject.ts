import { Lifecycle } from "agents/lifecycle"
import { DurableObject } from "cloudflare:workers"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import { type AccessEvent, AccessEvents } from "../access/AccessEvents.ts"
import { type AccountStubs, hearInAccount } from "./AccountStub.ts"
import type { Post, Removal } from "./Session.ts"
import { type Services, SessionHost } from "./SessionHost.ts"

type Env = Readonly<Record<string, unknown>>

/** The adapter through which what runs in the object publishes. */
export type OwnEvents = Layer.Layer<AccessEvents, never, AccountStubs>

/**
 * The one strongly consistent place of a Clerk user, named by the user's id: holds the sessions of 2025-era clients
 * and of clients of `/sse`. Sleeps while they are idle.
 */
export abstract class AccountObject extends DurableObject<Env> {
  readonly #sessions: SessionHost
  readonly #lifecycle: Lifecycle<Env>

  /**
   * `layer`: the application as far as sessions need it, built once from the object's own environment, and publishing
   * to the object's own adapter.
   */
  constructor(ctx: DurableObjectState, env: Env, layer: (events: OwnEvents) => Layer.Layer<Services>) {
    super(ctx, env)
    const events = ownEvents(ctx.id.name, (event) => this.#sessions.hear(event))
    this.#sessions = new SessionHost(ManagedRuntime.make(layer(events)))
    this.#lifecycle = Lifecycle.install<Env>(this).use(this.#sessions)
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
    return this.#sessions.hear(event)
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
