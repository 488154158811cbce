import { Lifecycle } from "agents/lifecycle"
import { DurableObject } from "cloudflare:workers"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import type { GrantId } from "../domain/Principal.ts"
import type { Post, Removal } from "./Session.ts"
import { type Services, SessionHost } from "./SessionHost.ts"

type Env = Readonly<Record<string, unknown>>

/**
 * The one strongly consistent place of a Clerk user, named by the user's id: holds the sessions of 2025-era clients
 * and of clients of `/sse`. Sleeps while they are idle.
 */
export abstract class AccountObject extends DurableObject<Env> {
  readonly #sessions: SessionHost
  readonly #lifecycle: Lifecycle<Env>

  /** `layer`: the application as far as sessions need it, built once from the object's own environment. */
  constructor(ctx: DurableObjectState, env: Env, layer: Layer.Layer<Services>) {
    super(ctx, env)
    this.#sessions = new SessionHost(ManagedRuntime.make(layer))
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

  /** Tells those who follow changes that there was one, seen where requests without a session are served. */
  async tellFollowers(): Promise<void> {
    await this.#lifecycle.start()
    return this.#sessions.tellFollowers()
  }

  /** Ends the sessions of revoked grants, and their streams. */
  async endGrants(grants: ReadonlyArray<GrantId>): Promise<void> {
    await this.#lifecycle.start()
    return this.#sessions.endGrants(grants)
  }

  /** Ends all sessions of the user, and all streams. */
  async endAll(): Promise<void> {
    await this.#lifecycle.start()
    return this.#sessions.endAll()
  }
}
