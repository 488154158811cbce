import { Lifecycle } from "agents/lifecycle"
import { DurableObject } from "cloudflare:workers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import { type AccessEvent, AccessEvents } from "../access/AccessEvents.ts"
import type { Write, Written } from "../capability/UserStoreWrite.ts"
import type { OrganizationId } from "../domain/Principal.ts"
import { type AccountStubs, hearInAccount } from "./AccountStub.ts"
import { ClerkEvents } from "./ClerkEvents.ts"
import type { ClerkFacts } from "./ClerkFacts.ts"
import { Erasure } from "./Erasure.ts"
import { type OrganizationMember, OrganizationMembers, type OrganizationsChanged } from "./OrganizationMembers.ts"
import type { Post, Removal } from "./Session.ts"
import { type Services as SessionServices, SessionHost } from "./SessionHost.ts"
import { UserEntries } from "./UserEntries.ts"

type Env = Readonly<Record<string, unknown>>

/** What the object needs of the application. */
type Services = SessionServices | AccountStubs | ClerkFacts

/** The adapter through which what runs in the object publishes. */
export type OwnEvents = Layer.Layer<AccessEvents, never, AccountStubs>

/**
 * The one strongly consistent place of a Clerk user, named by the user's id: holds the sessions of 2025-era clients
 * and of clients of `/sse`. Sleeps while they are idle. One more object of the class, whose name is no user's, knows who
 * has grants for which organization.
 */
export abstract class AccountObject extends DurableObject<Env> {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Services | UserEntries, never>
  readonly #sessions: SessionHost
  readonly #erasure: Erasure
  readonly #clerkEvents: ClerkEvents
  readonly #members: OrganizationMembers
  readonly #lifecycle: Lifecycle<Env>

  /**
   * `layer`: the application as far as sessions need it, built once from the object's own environment, and publishing
   * to the object's own adapter.
   */
  constructor(
    ctx: DurableObjectState,
    env: Env,
    layer: (events: OwnEvents) => Layer.Layer<Services, never, UserEntries>
  ) {
    super(ctx, env)
    const events = ownEvents(ctx.id.name, (event) => this.#act(event))
    this.#runtime = ManagedRuntime.make(Layer.provideMerge(layer(events), UserEntries.layer(ctx.storage.sql)))
    this.#sessions = new SessionHost(this.#runtime)
    this.#erasure = new Erasure(this.#runtime)
    this.#clerkEvents = new ClerkEvents(this.#runtime, (userId) => this.#sessions.notice(userId))
    this.#members = new OrganizationMembers(this.#runtime)
    this.#lifecycle = Lifecycle.install<Env>(this)
      .use(this.#sessions)
      .use(this.#erasure)
      .use(this.#clerkEvents)
      .use(this.#members)
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
    if ("eventId" in event && !this.#isKnown) return
    await this.#lifecycle.start()
    return this.#act(event)
  }

  /** Looks at Clerk anew, and answers the organizations that the user has grants for. */
  async lookAgain(event: typeof AccessEvent.cases.FactsChanged.Type): Promise<Array<OrganizationId>> {
    if (!this.#isKnown) return []
    await this.hear(event)
    return [...(await this.#clerkEvents.organizations(event.userId))]
  }

  /** Of the object of the organizations: notes a user who has a grant for one now. */
  async joinOrganization(member: OrganizationMember): Promise<void> {
    await this.#lifecycle.start()
    return this.#members.join(member)
  }

  /** Of the object of the organizations: has those look at Clerk whom a change of organizations concerns. */
  async organizationsChanged(change: OrganizationsChanged): Promise<void> {
    if (!this.#isKnown) return
    await this.#lifecycle.start()
    return this.#members.changed(change)
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

  /** Everything here that an event concerns. */
  async #act(event: AccessEvent): Promise<void> {
    await this.#sessions.hear(event)
    await this.#erasure.hear(event)
    await this.#clerkEvents.hear(event)
  }

  /**
   * Whether anything was ever stored here. Clerk tells of everybody who has an account, and who never connected shall
   * leave nothing behind, not even empty tables.
   */
  get #isKnown(): boolean {
    return this.ctx.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").toArray().length > 0
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
      (tell) => (event: AccessEvent) =>
        event.userId === ownName && event._tag !== "OrganizationGranted"
          ? Effect.promise(() => act(event))
          : tell(event)
    )
  )
