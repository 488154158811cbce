import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import { AccessRefresh } from "../access/Access.ts"
import { type AccessEvent, AccessEvents } from "../access/AccessEvents.ts"
import type { AccountLayer } from "../account/AccountObject.ts"
import { Authority } from "../account/Authority.ts"
import type { OrganizationMember, OrganizationsChanged } from "../account/OrganizationMembers.ts"
import { Records, type StoredRecord } from "../account/Records.ts"
import { type Limit, MemoryCalls } from "../capability/CallLimit.ts"
import { defaultLimits, MemoryEntries, type Write } from "../capability/UserStoreWrite.ts"
import type { Recorded } from "../observability/OperatorActions.ts"
import type { DecisionQuery, DecisionRows } from "../account/DecisionRows.ts"
import { type GrantId, UserId } from "../domain/Principal.ts"
import type { Bearer } from "../oauth/Admission.ts"
import type { TokenRequest } from "../oauth/UserAuthorities.ts"
import { memoryDecisions, memoryRecords } from "./MemoryStores.ts"

/** How the authority over a user is built, on the user's records. */
type AuthorityLayer = (user: Parameters<AccountLayer>[0]) => Layer.Layer<Authority | AccessRefresh, never, Records>

/** What is kept for one user. */
interface Account {
  readonly entries: MemoryEntries
  readonly toolCalls: MemoryCalls
  readonly decisions: DecisionRows["Service"]
  readonly runtime: ManagedRuntime.ManagedRuntime<Authority | AccessRefresh | Records, never>
}

/**
 * The objects of all users, outside workerd: each runs the real authority over its user, on records in memory. They hold
 * no sessions, and record what would end in them.
 */
export class FakeAccounts {
  /** `user grant` for each grant that ended, `user all` for each account that was banned, `user deleted` for each deleted one. */
  readonly ended: Array<string> = []
  /** `user event` for each webhook that a user's object was to look at Clerk for, and `organization event`, `all event` of others. */
  readonly webhooks: Array<string> = []
  /** `organization user` for each grant for an organization. */
  readonly members: Array<string> = []
  /** The users whose streams would be told of a change. */
  readonly told: Array<string> = []
  /** How many decisions each call to an object brought. */
  readonly recorded: Array<number> = []
  /** How many milliseconds their clock is ahead of this machine's. */
  ahead = 0
  /** How many of the next calls fail, as those of an object do that is being replaced. */
  failures = 0
  /** The name of the calls that fail, if not all do. */
  failing: string | undefined
  /** Whether they fail because the object has too much to do. */
  overloaded = false
  /** How many of the next commits of records fail, as those of an object's store do. Nothing of them is kept. */
  failedCommits = 0
  /** How many calls were made, by name. */
  readonly calls = new Map<string, number>()
  readonly #accounts = new Map<string, Account>()
  #layer: AuthorityLayer | undefined

  /** Stands in for the binding. */
  readonly namespace = {
    getByName: (name: string) => {
      const userId = UserId.make(name, { disableChecks: true })
      const ask = <A, E>(operation: string, question: (authority: Authority["Service"]) => Effect.Effect<A, E>) =>
        this.#called(operation, () => this.#accountOf(userId).runtime.runPromise(Effect.flatMap(Authority, question)))
      return {
        admit: (bearer: Bearer) => ask("admit", ({ admit }) => admit(bearer)),
        token: (request: TokenRequest) => ask("token", ({ token }) => token(request)),
        standing: () => ask("standing", ({ standing }) => standing),
        grants: () => ask("grants", ({ grants }) => grants),
        end: (grantId: GrantId) => ask("end", ({ end }) => end(grantId)),
        keep: (key: string, value: string, expiresAt: number | null) =>
          ask("keep", ({ keep }) => keep(key, value, expiresAt)),
        hear: (event: AccessEvent) =>
          this.#called("hear", async () => {
            this.#hear(event)
            if (event._tag === "FactsChanged") await this.#lookAgain(userId)
          }),
        joinOrganization: ({ organizationId, userId: member }: OrganizationMember) =>
          this.#called("joinOrganization", async () => void this.members.push(`${organizationId} ${member}`)),
        organizationsChanged: ({ eventId, organizationId }: OrganizationsChanged) =>
          this.#called(
            "organizationsChanged",
            async () => void this.webhooks.push(`${organizationId ?? "all"} ${eventId}`)
          ),
        takeCall: (tool: string, limit: Limit) =>
          this.#called("takeCall", async () => {
            const now = Effect.runSync(Clock.currentTimeMillis) + this.ahead
            return this.#accountOf(userId).toolCalls.take(tool, limit, now)
          }),
        giveBackCall: (tool: string, at: number) =>
          this.#called("giveBackCall", async () => this.#accountOf(userId).toolCalls.giveBack(tool, at)),
        record: (recorded: ReadonlyArray<Recorded>) =>
          this.#called("record", () => {
            this.recorded.push(recorded.length)
            return Effect.runPromise(this.#accountOf(userId).decisions.record(recorded))
          }),
        newest: (limit: number) =>
          this.#called("newest", () => Effect.runPromise(this.#accountOf(userId).decisions.newest(limit))),
        decisions: (query: DecisionQuery) =>
          this.#called("decisions", () => Effect.runPromise(this.#accountOf(userId).decisions.find(query))),
        readEntry: (entry: string) =>
          this.#called("readEntry", async () => this.#accountOf(userId).entries.read(entry)),
        writeEntry: (write: Write) =>
          this.#called("writeEntry", async () => this.#accountOf(userId).entries.write(write, defaultLimits))
      }
    }
  }

  /** Says how authorities are built. Without it, only what is stored for users can be reached. */
  host(layer: AuthorityLayer): void {
    this.#layer = layer
  }

  /** The keys of a user's records, sorted. */
  async recordsOf(userId: string): Promise<ReadonlyArray<string>> {
    return (await this.dump(userId)).map(({ key }) => key)
  }

  /** Everything that is stored for a user, sorted by key, as whoever can read the object's store sees it. */
  dump(userId: string): Promise<ReadonlyArray<StoredRecord>> {
    const { runtime } = this.#accountOf(UserId.make(userId))
    return runtime.runPromise(Effect.flatMap(Records, (records) => records.list("")))
  }

  /** The keys of all grants, of all users. */
  async grants(): Promise<ReadonlyArray<string>> {
    const keys = await Promise.all([...this.#accounts.keys()].map((userId) => this.recordsOf(userId)))
    return keys.flat().filter((key) => key.startsWith("grant:"))
  }

  readonly #records = Layer.effect(
    Records,
    Effect.map(Records, (records) => {
      const unlessFailed = <A>(commit: Effect.Effect<A>) =>
        Effect.suspend(() => {
          if (this.failedCommits === 0) return commit
          this.failedCommits -= 1
          return Effect.die(new Error("the store failed: internal detail"))
        })
      return Records.of({
        ...records,
        commit: (changes) => unlessFailed(records.commit(changes)),
        commitIf: (key, holds, changes) => unlessFailed(records.commitIf(key, holds, changes))
      })
    })
  )

  #accountOf(userId: UserId): Account {
    const known = this.#accounts.get(userId)
    if (known !== undefined) return known
    const events = AccessEvents.heardBy(Effect.succeed((event: AccessEvent) => Effect.sync(() => this.#hear(event))))
    const layer =
      this.#layer?.({ userId, events }) ?? Layer.merge(Layer.mock(Authority)({}), Layer.mock(AccessRefresh)({}))
    const made = {
      entries: new MemoryEntries(),
      toolCalls: new MemoryCalls(),
      decisions: memoryDecisions(),
      runtime: ManagedRuntime.make(
        layer.pipe(Layer.provideMerge(this.#records), Layer.provide(Layer.fresh(memoryRecords)))
      )
    }
    this.#accounts.set(userId, made)
    return made
  }

  /** Looks at Clerk as an object does for somebody who has connected something. */
  async #lookAgain(userId: UserId): Promise<void> {
    if ((await this.recordsOf(userId)).every((key) => !key.startsWith("grant:"))) return
    const { runtime } = this.#accountOf(userId)
    await runtime.runPromise(Effect.exit(Effect.flatMap(AccessRefresh, ({ refresh }) => refresh(userId))))
  }

  #hear(event: AccessEvent): void {
    const { userId } = event
    switch (event._tag) {
      case "GrantEnded":
        return void this.ended.push(`${userId} ${event.grantId}`)
      case "AccountClosed":
        return void this.ended.push(`${userId} ${event.deleted ? "deleted" : "all"}`)
      case "AccessChanged":
        return void this.told.push(userId)
      case "OrganizationGranted":
        return void this.members.push(`${event.organizationId} ${userId}`)
      default:
        return void this.webhooks.push(`${userId} ${event.eventId}`)
    }
  }

  async #called<A>(operation: string, answer: () => Promise<A>): Promise<A> {
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1)
    if (this.failures > 0 && (this.failing ?? operation) === operation) {
      this.failures -= 1
      throw Object.assign(new Error("the object was reset: internal detail"), { overloaded: this.overloaded })
    }
    return answer()
  }
}
