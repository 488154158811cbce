import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import type { AccessEvent } from "../access/AccessEvents.ts"
import { AccountStubs, workerEvents } from "../account/AccountStub.ts"
import { type Limit, MemoryCalls } from "../capability/CallLimit.ts"
import { defaultLimits, MemoryEntries, type Write } from "../capability/UserStoreWrite.ts"
import { AppConfig } from "../config/AppConfig.ts"
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
  readonly #calls = new Map<string, MemoryCalls>()
  /** How many milliseconds their clock is ahead of this machine's. */
  ahead = 0
  readonly #stores = new Map<string, MemoryEntries>()
  /** How many of the next calls fail, as those of an object do that is being replaced. */
  failures = 0
  /** Whether they fail because the object has too much to do. */
  overloaded = false

  /** Stands in for the binding. */
  readonly namespace = {
    getByName: (userId: string) => ({
      readEntry: async (name: string) => this.#storeOf(userId).read(name),
      writeEntry: async (write: Write) => this.#storeOf(userId).write(write, defaultLimits),
      takeCall: async (tool: string, limit: Limit) => {
        this.#fail()
        return this.#callsOf(userId).take(tool, limit, Effect.runSync(Clock.currentTimeMillis) + this.ahead)
      },
      giveBackCall: async (tool: string, at: number) => this.#callsOf(userId).giveBack(tool, at),
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

  #callsOf(userId: string): MemoryCalls {
    const calls = this.#calls.get(userId) ?? new MemoryCalls()
    this.#calls.set(userId, calls)
    return calls
  }

  #fail(): void {
    if (this.failures > 0) {
      this.failures -= 1
      throw Object.assign(new Error("the object was reset: internal detail"), { overloaded: this.overloaded })
    }
  }

  #record(ended: ReadonlyArray<string>): void {
    this.#fail()
    this.ended.push(...ended)
  }
}
