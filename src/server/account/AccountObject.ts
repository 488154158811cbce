import { Lifecycle } from "agents/lifecycle"
import { DurableObject } from "cloudflare:workers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import type { Write, Written } from "../capability/UserStoreWrite.ts"
import type { GrantId } from "../domain/Principal.ts"
import type { Post, Removal } from "./Session.ts"
import { type Services, SessionHost } from "./SessionHost.ts"
import { UserEntries } from "./UserEntries.ts"

type Env = Readonly<Record<string, unknown>>

/**
 * The one strongly consistent place of a Clerk user, named by the user's id: holds the sessions of 2025-era clients
 * and of clients of `/sse`. Sleeps while they are idle.
 */
export abstract class AccountObject extends DurableObject<Env> {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Services | UserEntries, never>
  readonly #sessions: SessionHost
  readonly #lifecycle: Lifecycle<Env>

  /** `layer`: the application as far as sessions need it, built once from the object's own environment. */
  constructor(ctx: DurableObjectState, env: Env, layer: Layer.Layer<Services, never, UserEntries>) {
    super(ctx, env)
    this.#runtime = ManagedRuntime.make(Layer.provideMerge(layer, UserEntries.layer(ctx.storage.sql)))
    this.#sessions = new SessionHost(this.#runtime)
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

  /** Ends the sessions of revoked grants, and their streams. */
  async endGrants(grants: ReadonlyArray<GrantId>): Promise<void> {
    await this.#lifecycle.start()
    return this.#sessions.endGrants(grants)
  }

  /** Ends all sessions of the user, and all streams. Of a user who was `deleted` nothing stays stored. */
  async endAll(deleted = false): Promise<void> {
    await this.#lifecycle.start()
    if (deleted) await this.#runtime.runPromise(Effect.flatMap(UserEntries, (entries) => entries.removeAll))
    return this.#sessions.endAll()
  }
}
