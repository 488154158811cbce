import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import type { AccessEvent } from "../access/AccessEvents.ts"
import { AccountStubs, workerEvents } from "../account/AccountStub.ts"
import { defaultLimits, MemoryEntries, type Write } from "../capability/UserStoreWrite.ts"
import { type DecisionQuery, DecisionRows } from "../account/DecisionRows.ts"
import { AppConfig } from "../config/AppConfig.ts"
import type { Decision } from "../observability/Decisions.ts"
import { testSettings } from "./TestSettings.ts"

/**
 * The objects of all users, outside workerd: they hold no sessions, keep what is stored in memory, and record what they
 * are told of ended grants.
 */
export class FakeAccounts {
  /** `user grant` for each grant that ended, `user all` for each account that was banned, `user deleted` for each deleted one. */
  readonly ended: Array<string> = []
  /** The users whose followers were told of a change. */
  readonly told: Array<string> = []
  /** How many decisions each call to an object brought. */
  readonly recorded: Array<number> = []
  readonly #stores = new Map<string, MemoryEntries>()
  readonly #decisions = new Map<string, DecisionRows["Service"]>()
  /** How many of the next calls fail, as those of an object do that is being replaced. */
  failures = 0
  /** Whether they fail because the object has too much to do. */
  overloaded = false

  /** Stands in for the binding. */
  readonly namespace = {
    getByName: (userId: string) => ({
      readEntry: async (name: string) => this.#storeOf(userId).read(name),
      writeEntry: async (write: Write) => this.#storeOf(userId).write(write, defaultLimits),
      record: async (decisions: ReadonlyArray<Decision>) => {
        this.#fail()
        this.recorded.push(decisions.length)
        return Effect.runPromise(this.#decisionsOf(userId).record(decisions))
      },
      decisions: async (query: DecisionQuery) => Effect.runPromise(this.#decisionsOf(userId).find(query)),
      hear: async (event: AccessEvent) => {
        if (event._tag === "AccessChanged") return void this.told.push(userId)
        const ended = event._tag === "GrantEnded" ? event.grantId : event.deleted ? "deleted" : "all"
        return this.#record([`${userId} ${ended}`])
      }
    })
  }

  /** For tests of the authorization server by itself. */
  get layer() {
    return workerEvents.pipe(
      Layer.provide(AccountStubs.layer),
      Layer.provide(
        Layer.effect(AppConfig, Effect.orDie(AppConfig.decode({ ...testSettings, ACCOUNT_AGENT: this.namespace })))
      )
    )
  }

  #storeOf(userId: string): MemoryEntries {
    const store = this.#stores.get(userId) ?? new MemoryEntries()
    this.#stores.set(userId, store)
    return store
  }

  #decisionsOf(userId: string): DecisionRows["Service"] {
    const rows = this.#decisions.get(userId) ?? DecisionRows.inMemory()
    this.#decisions.set(userId, rows)
    return rows
  }

  #record(ended: ReadonlyArray<string>): void {
    this.#fail()
    this.ended.push(...ended)
  }

  #fail(): void {
    if (this.failures > 0) {
      this.failures -= 1
      throw Object.assign(new Error("the object was reset: internal detail"), { overloaded: this.overloaded })
    }
  }
}
