import * as Layer from "effect/Layer"

import type { AccessEvent } from "../../src/server/access/AccessEvents.ts"
import { AccountStubs, workerEvents } from "../../src/server/account/AccountStub.ts"
import { testConfig } from "./TestConfig.ts"

/** The objects of all users, outside workerd: they hold no sessions, and record what they are told of ended grants. */
export class FakeAccounts {
  /** `user grant` for each grant that ended, `user all` for each account that was closed. */
  readonly ended: Array<string> = []
  /** The users whose followers were told of a change. */
  readonly told: Array<string> = []
  /** How many of the next calls fail, as those of an object do that is being replaced. */
  failures = 0
  /** Whether they fail because the object has too much to do. */
  overloaded = false

  /** Stands in for the binding. */
  readonly namespace = {
    getByName: (userId: string) => ({
      hear: async (event: AccessEvent) => {
        if (event._tag === "AccessChanged") return void this.told.push(userId)
        return this.#record([`${userId} ${event._tag === "GrantEnded" ? event.grantId : "all"}`])
      }
    })
  }

  /** For tests of the authorization server by itself. */
  get layer() {
    return workerEvents.pipe(
      Layer.provide(AccountStubs.layer),
      Layer.provide(testConfig({ ACCOUNT_AGENT: this.namespace }))
    )
  }

  #record(ended: ReadonlyArray<string>): void {
    if (this.failures > 0) {
      this.failures -= 1
      throw Object.assign(new Error("the object was reset: internal detail"), { overloaded: this.overloaded })
    }
    this.ended.push(...ended)
  }
}
