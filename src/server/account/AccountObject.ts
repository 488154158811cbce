import { Lifecycle } from "agents/lifecycle"
import { DurableObject } from "cloudflare:workers"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import type { Access } from "../access/Access.ts"
import { AccessEvent } from "../access/AccessEvents.ts"
import type { Counted, Limit } from "../capability/CallLimit.ts"
import type { Write, Written } from "../capability/UserStoreWrite.ts"
import { type GrantId, type OrganizationId, UserId } from "../domain/Principal.ts"
import * as Scope from "../domain/Scope.ts"
import { type Admission, type Bearer, parseToken } from "../oauth/Admission.ts"
import type { Grant, Standing, TokenRequest } from "../oauth/UserAuthorities.ts"
import type { Decision } from "../observability/Decisions.ts"
import type { Recorded } from "../observability/OperatorActions.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import { type AccountStubs, type OwnEvents, ownEvents } from "./AccountStub.ts"
import { Authority } from "./Authority.ts"
import { CallTimes } from "./CallTimes.ts"
import { ClerkEvents } from "./ClerkEvents.ts"
import type { ClerkFacts } from "./ClerkFacts.ts"
import { type DecisionQuery, DecisionRows } from "./DecisionRows.ts"
import { Erasure } from "./Erasure.ts"
import { DecisionExpiry, RecordSweep } from "./ExpiryJob.ts"
import { anyRow } from "./LazyTable.ts"
import { type OrganizationMember, OrganizationMembers, type OrganizationsChanged } from "./OrganizationMembers.ts"
import { Records } from "./Records.ts"
import type { Post, Posted, Removal } from "./Session.ts"
import { type Services as SessionServices, SessionHost } from "./SessionHost.ts"
import { SessionStore } from "./SessionStore.ts"
import { UserEntries } from "./UserEntries.ts"

type Env = Readonly<Record<string, unknown>>

/** What the object needs of the application. */
type Services = SessionServices | Access | AccountStubs | ClerkFacts

/** What is kept for the user in rows of the object. */
export type Rows = UserEntries | CallTimes | Records | DecisionRows

/** How the application is built for the object of one user. */
export type AccountLayer = (user: {
  readonly userId: UserId
  readonly events: OwnEvents
}) => Layer.Layer<Services, never, Rows>

/**
 * The one strongly consistent place of a Clerk user, named by the user's id: holds the user's grants and tokens, what
 * Clerk says of the user, and the sessions of 2025-era clients and of clients of `/sse`. Sleeps while they are idle. One
 * more object of the class, whose name is no user's, knows who has grants for which organization.
 */
export abstract class AccountObject extends DurableObject<Env> {
  readonly #runtime: ManagedRuntime.ManagedRuntime<Services | Rows, never>
  readonly #sessions: SessionHost
  readonly #erasure: Erasure
  readonly #sweep: RecordSweep
  readonly #decisions: DecisionExpiry
  readonly #clerkEvents: ClerkEvents
  readonly #members: OrganizationMembers
  readonly #lifecycle: Lifecycle<Env>

  /**
   * `layer`: the application as far as the object needs it, built once from the object's own environment, and publishing
   * to the object's own adapter.
   */
  constructor(ctx: DurableObjectState, env: Env, layer: AccountLayer) {
    super(ctx, env)
    const { name = "" } = ctx.id
    const events = ownEvents(name, (event) => this.#act(event))
    // Whoever named the object has checked the id.
    const userId = UserId.make(name, { disableChecks: true })
    const { sql } = ctx.storage
    const rows = Layer.mergeAll(
      UserEntries.layer(sql),
      CallTimes.layer(sql),
      Records.layerSql(ctx.storage),
      DecisionRows.layer(sql, (time) => ctx.waitUntil(this.#decisions.plan(time)))
    )
    const runtime = ManagedRuntime.make(Layer.provideMerge(layer({ userId, events }), rows))
    this.#runtime = {
      ...runtime,
      runPromise: (program, options) => runtime.runPromise(Telemetry.within(program), options)
    }
    this.#sessions = new SessionHost(this.#runtime)
    this.#erasure = new Erasure(this.#runtime)
    this.#sweep = new RecordSweep(this.#runtime, (grantId) =>
      this.#act(AccessEvent.cases.GrantEnded.make({ userId, grantId }))
    )
    this.#decisions = new DecisionExpiry(this.#runtime)
    this.#clerkEvents = new ClerkEvents(this.#runtime)
    this.#members = new OrganizationMembers(this.#runtime)
    this.#lifecycle = Lifecycle.install<Env>(this)
      .use(this.#sessions)
      .use(this.#erasure)
      .use(this.#sweep)
      .use(this.#decisions)
      .use(this.#clerkEvents)
      .use(this.#members)
  }

  /** Who an access token stands for. One of a grant that the user does not have leaves nothing behind here. */
  async admit(bearer: Bearer, trace?: string): Promise<Admission> {
    return Telemetry.arrived(trace, async () => {
      if (await this.#has(bearer.token)) await this.#startSweeping()
      return this.#authority(({ admit }) => admit(bearer))
    })
  }

  /** Answers `/token`. A code or token of a grant that the user does not have leaves nothing behind here. */
  async token(request: TokenRequest, trace?: string): Promise<Response> {
    return Telemetry.arrived(trace, async () => {
      if (this.#isKept()) await this.#startSweeping()
      return this.#authority(({ token }) => token(request))
    })
  }

  /** What is known of the user. Of one who has nothing here, it is only looked up. */
  async standing(trace?: string): Promise<Standing> {
    return Telemetry.arrived(trace, async () => {
      if (this.#isKept()) await this.#startSweeping()
      return this.#authority(({ standing }) => standing)
    })
  }

  /** The user's grants, each with how many sessions are open under it. */
  async grants(): Promise<ReadonlyArray<Grant>> {
    const grants = await this.#authority(({ grants }) => grants)
    const open = SessionStore.openOf(this.ctx.storage.sql)
    return grants.map((grant) => ({ ...grant, sessions: open.get(grant.id) ?? 0 }))
  }

  /** Ends a grant. */
  async end(grantId: GrantId): Promise<void> {
    if (this.#isKept()) await this.#startSweeping()
    return this.#authority(({ end }) => end(grantId))
  }

  /** Keeps a new grant. */
  async keep(key: string, value: string, expiresAt: number | null): Promise<void> {
    await this.#startSweeping()
    return this.#authority(({ keep }) => keep(key, value, expiresAt))
  }

  /** Takes a message of a client, if its token is good and carries the baseline scope. */
  async post({ bearer, ...post }: Post, trace?: string): Promise<Posted> {
    return Telemetry.arrived(trace, async () => {
      const admission = await this.admit(bearer)
      if (admission._tag !== "Admitted" || !admission.caller.principal.scopes.includes(Scope.baseline)) return admission
      return { ...admission, answer: await this.#sessions.post({ ...post, caller: admission.caller }) }
    })
  }

  /** Ends a session. */
  async remove(removal: Removal): Promise<Response> {
    await this.#lifecycle.start()
    return this.#sessions.remove(removal)
  }

  /** Acts on what has changed for the user, where it concerns anything here. */
  async hear(event: AccessEvent): Promise<void> {
    if (!this.#isKept()) return
    await this.#lifecycle.start()
    return this.#act(event)
  }

  /** Looks at Clerk anew, and answers the organizations that the user has grants for. */
  async lookAgain(event: typeof AccessEvent.cases.FactsChanged.Type): Promise<Array<OrganizationId>> {
    if (!(await this.#isConnected())) return []
    await this.#lifecycle.start()
    await this.#act(event)
    return [...(await this.#clerkEvents.organizations(event.userId))]
  }

  /** Of the object of the organizations: notes a user who has a grant for one now. */
  async joinOrganization(member: OrganizationMember): Promise<void> {
    await this.#lifecycle.start()
    return this.#members.join(member)
  }

  /** Of the object of the organizations: has those look at Clerk whom a change of organizations concerns. */
  async organizationsChanged(change: OrganizationsChanged): Promise<void> {
    if (!OrganizationMembers.areIn(this.ctx.storage.sql)) return
    await this.#lifecycle.start()
    return this.#members.changed(change)
  }

  /** The JSON of an entry of the user's store. */
  async readEntry(name: string): Promise<string | null> {
    return this.#runtime.runPromise(Effect.flatMap(UserEntries, (entries) => entries.read(name)))
  }

  /** Changes an entry of the user's store. */
  async writeEntry(write: Write): Promise<Written> {
    await this.#lifecycle.start()
    return this.#runtime.runPromise(Effect.flatMap(UserEntries, (entries) => entries.write(write)))
  }

  /** Counts a call of a tool that has a limit. */
  async takeCall(tool: string, limit: Limit, trace?: string): Promise<Counted> {
    return Telemetry.arrived(trace, async () => {
      await this.#lifecycle.start()
      return this.#runtime.runPromise(Effect.flatMap(CallTimes, (times) => times.take(tool, limit)))
    })
  }

  /** Takes a call off the count. */
  async giveBackCall(tool: string, at: number): Promise<void> {
    return this.#runtime.runPromise(Effect.flatMap(CallTimes, (times) => times.giveBack(tool, at)))
  }

  /** Keeps decisions on messages that were served outside of the object, and what operators did about the user. */
  async record(recorded: ReadonlyArray<Recorded>): Promise<void> {
    await this.#lifecycle.start()
    return this.#runtime.runPromise(Effect.flatMap(DecisionRows, (rows) => rows.record(recorded)))
  }

  /** What was decided on the user's messages, the newest first. */
  async decisions(query: DecisionQuery): Promise<ReadonlyArray<Decision>> {
    return this.#runtime.runPromise(Effect.flatMap(DecisionRows, (rows) => rows.find(query)))
  }

  /** What was recorded last for the user to see, the newest first. */
  async newest(limit: number): Promise<ReadonlyArray<Recorded>> {
    return this.#runtime.runPromise(Effect.flatMap(DecisionRows, (rows) => rows.newest(limit)))
  }

  #authority<A, E>(ask: (authority: Authority["Service"]) => Effect.Effect<A, E>): Promise<A> {
    return this.#runtime.runPromise(Effect.flatMap(Authority, ask))
  }

  #has(token: string): Promise<boolean> {
    return this.#authority(({ has }) => has(parseToken(token)?.grantId ?? ""))
  }

  /** Starts the parts of the object that have jobs, and sees to it that records are removed when they expire. */
  async #startSweeping(): Promise<void> {
    await this.#lifecycle.start()
    await this.#sweep.plan()
  }

  /**
   * Tells all that an event concerns here, and fails at the end if one of them failed. An object that has nothing started,
   * as that of a stranger, has nothing to tell.
   */
  async #act(event: AccessEvent): Promise<void> {
    if (!this.#lifecycle.isStarted()) return
    // Those that plan jobs come first: what they planned is done, also where this instance gets no further.
    const told = Effect.forEach([this.#erasure, this.#clerkEvents, this.#sessions], (part) =>
      Effect.exit(Effect.promise(async () => part.hear(event)))
    )
    const failed = (await Effect.runPromise(told)).find(Exit.isFailure)
    if (failed !== undefined) throw Cause.squash(failed.cause)
  }

  /**
   * Whether anything is kept for the user. Clerk tells of everybody who has an account, and anybody makes up tokens: who
   * never connected shall leave nothing behind, not even empty tables or an alarm.
   */
  #isKept(): boolean {
    return anyRow(this.ctx.storage.sql, ["records", "decisions", "user_entries", "call_times", "sessions"])
  }

  /** Whether the user has a grant. */
  async #isConnected(): Promise<boolean> {
    return (await this.grants()).length > 0
  }
}
