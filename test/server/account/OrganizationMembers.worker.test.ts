import { env } from "cloudflare:workers"
import { runInDurableObject } from "cloudflare:test"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Effect from "effect/Effect"

import type { AccountObject } from "../../../src/server/account/AccountObject.ts"
import { ClientId, EventId, GrantId, OrganizationId, type UserId } from "../../../src/server/domain/Principal.ts"
import { factsChanged, freshUser, stubOf } from "../../support/sessions/Sessions.ts"
import { clerk, grants } from "../../support/sessions/Worker.ts"

const namespace = (env as unknown as { readonly ACCOUNT_AGENT: DurableObjectNamespace<AccountObject> }).ACCOUNT_AGENT
/** A stub is of no use any more once the object was replaced. */
const organizations = () => namespace.getByName("organizations")

const acme = OrganizationId.make("org_acme")
const other = OrganizationId.make("org_other")

/** An event that was not delivered before. */
const fresh = () => EventId.make(factsChanged(freshUser()).eventId)

/** A user with a grant for an organization, who has used the server. */
const member = async (organizationId: OrganizationId): Promise<UserId> => {
  const userId = freshUser()
  const grant = {
    id: GrantId.make("grant"),
    clientId: ClientId.make("client"),
    scopes: [],
    createdAt: 0,
    usedAt: 0,
    organizationId
  }
  grants.set(userId, [grant])
  await stubOf(userId).readEntry("none")
  await organizations().joinOrganization({ organizationId, userId })
  return userId
}

const members = (organizationId: OrganizationId, count: number) =>
  Promise.all(Array.from({ length: count }, () => member(organizationId)))

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** Waits until `check` holds, 20 s at most: a round has many users. */
const eventually = async (check: () => Promise<boolean>): Promise<void> => {
  for (let tries = 0; tries < 400; tries++) {
    if (await check()) return
    await pause(50)
  }
  throw new Error("it did not come to pass within 20 s")
}

const times = (userId: UserId) => clerk.asked.filter((id) => id === userId).length

const rows = (table: string) =>
  runInDurableObject(organizations(), (_, { storage }) => storage.sql.exec(`SELECT * FROM ${table}`).toArray())

/** Waits until nobody is left to be told, and until those who were told have looked. */
const roundEnded = async () => {
  await eventually(async () => (await rows("to_tell")).length === 0)
  await pause(500)
}

describe("the members of organizations", () => {
  beforeEach(async () => {
    clerk.asked.length = 0
    await organizations().joinOrganization({ organizationId: acme, userId: freshUser() })
    await runInDurableObject(organizations(), (_, { storage }) => {
      storage.sql.exec("DELETE FROM members")
    })
  })
  afterEach(() => {
    clerk.latency = Effect.void
  })

  it("are all told of a role, 120 of them in steps of 50 at most, each once", async () => {
    const users = await members(acme, 120)
    await organizations().organizationsChanged({ eventId: fresh() })
    const left: Array<number> = []
    await eventually(async () => {
      const count = (await rows("to_tell")).length
      if (left.at(-1) !== count) left.push(count)
      return count === 0
    })
    await pause(500)
    assert.deepEqual(
      users.map(times).filter((count) => count !== 1),
      []
    )
    for (const [index, count] of left.entries()) assert.isAtMost((left[index - 1] ?? 120) - count, 50)
    assert.deepEqual(left.at(-1), 0)
  })

  it("of another organization are not told of a change of one", async () => {
    const [users, others] = [await members(acme, 3), await members(other, 3)]
    await organizations().organizationsChanged({ eventId: fresh(), organizationId: acme })
    await roundEnded()
    assert.deepEqual(
      [users.map(times), others.map(times)],
      [
        [1, 1, 1],
        [0, 0, 0]
      ]
    )
  })

  it("are told once of an event that is delivered twice, and of one that comes during a round once more at most", async () => {
    const users = await members(acme, 60)
    const eventId = fresh()
    await organizations().organizationsChanged({ eventId })
    await organizations().organizationsChanged({ eventId })
    await organizations().organizationsChanged({ eventId: fresh() })
    assert.isAtMost((await rows("to_tell")).length, 60)
    await roundEnded()
    assert.deepEqual(
      users.map(times).filter((count) => count < 1 || count > 2),
      []
    )
    await organizations().organizationsChanged({ eventId })
    assert.deepEqual(await rows("to_tell"), [])
  })

  it("are told by the next instance of the object, where one was replaced in the middle", async () => {
    const users = await members(acme, 60)
    await organizations().organizationsChanged({ eventId: fresh() })
    await eventually(async () => (await rows("to_tell")).length <= 10)
    await runInDurableObject(organizations(), (_, state) => state.abort("replaced by the test")).catch(() => {})
    await roundEnded()
    assert.deepEqual(
      users.map(times).filter((count) => count === 0),
      []
    )
  })

  it("are told all the same where the object of one fails, which is given up after five tries", async () => {
    const [broken, ...users] = await members(acme, 4)
    clerk.unreadable.add(broken!)
    await organizations().organizationsChanged({ eventId: fresh() })
    await eventually(async () => (await rows("to_tell")).length === 1)
    assert.strictEqual((await rows("to_tell"))[0]?.["user_id"], broken)
    await roundEnded()
    assert.deepEqual(users.map(times), [1, 1, 1])
    assert.lengthOf(await rows("members"), 4)
  })

  it("are forgotten once they have no grant for it any more, unless they have joined just now", async () => {
    const [left, young, kept] = [await member(acme), await member(acme), await member(acme)]
    for (const gone of [left, young]) grants.set(gone, [])
    const age = (userId: UserId) =>
      runInDurableObject(organizations(), (_, { storage }) => {
        storage.sql.exec("UPDATE members SET time = time - 120000 WHERE user_id = ?", userId)
      })
    await age(left)
    await age(kept)
    await organizations().organizationsChanged({ eventId: fresh() })
    await roundEnded()
    const users = (await rows("members")).map(({ user_id: id }) => id)
    assert.sameMembers(users, [young, kept])
  })
})
