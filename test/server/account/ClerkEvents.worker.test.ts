import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import { afterEach, assert, describe, it } from "vitest"
import * as Effect from "effect/Effect"

import type { AccessEvent } from "../../../src/server/access/AccessEvents.ts"
import { ClerkSessionId, ClientId, GrantId, OrganizationId, type UserId } from "../../../src/server/domain/Principal.ts"
import {
  clerkSessionChanged,
  connectSse,
  factsChanged,
  freshUser,
  identityOf,
  initialize,
  listChanges,
  messagesOf,
  request,
  Session,
  stubOf,
  until
} from "../../support/sessions/Sessions.ts"
import { clerk, grants } from "../../support/sessions/Worker.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** How many times Clerk was asked about a user, or a session. */
const asked = (id: string) => clerk.asked.filter((one) => one === id).length

const told = (stream: { readonly frames: ReadonlyArray<{ readonly message: any }> }) =>
  stream.frames.flatMap(({ message }) => message?.method ?? [])

/** A user with a session on `/mcp`, its stream, and a stream without a session. */
const connected = async () => {
  const userId = freshUser()
  const session = await Session.open(identityOf(userId))
  const stream = await session.stream()
  const follower = await new Session(identityOf(userId), "changes").stream()
  return {
    userId,
    session,
    stream,
    follower,
    hear: (event: AccessEvent = factsChanged(userId)) => stubOf(userId).hear(event)
  }
}

const grantOf = (id: string, more: { readonly clerkSessionId?: string; readonly organizationId?: string } = {}) => ({
  id: GrantId.make(id),
  clientId: ClientId.make(`client of ${id}`),
  scopes: ["mcp:tools"],
  createdAt: 0,
  usedAt: 0,
  ...(more.clerkSessionId !== undefined && { clerkSessionId: ClerkSessionId.make(more.clerkSessionId) }),
  ...(more.organizationId !== undefined && { organizationId: OrganizationId.make(more.organizationId) })
})

/** What an object has stored: the names of its tables. */
const tables = (userId: UserId) =>
  runInDurableObject(stubOf(userId), (_, { storage }) =>
    storage.sql
      .exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")
      .toArray()
      .map(({ name }) => name)
  )

describe("a webhook of Clerk about a user", () => {
  afterEach(() => {
    clerk.role = "admin"
    clerk.latency = Effect.void
  })

  it("has every stream told of another role within a second, though what is known is seconds old", async () => {
    const { stream, follower, hear } = await connected()
    clerk.role = "member"
    const since = performance.now()
    await hear()
    await until(() => told(stream).length > 0 && follower.frames.length > 1)
    assert.isBelow(performance.now() - since, 1_000)
    assert.sameMembers(told(stream), listChanges)
    await hear()
    await pause(1_500)
    assert.lengthOf(told(stream), listChanges.length)
  })

  it("closes idle streams of a banned user within a second, of /sse too, and ends the sessions", async () => {
    const { userId, session, stream, follower, hear } = await connected()
    clerk.banned.add(userId)
    const since = performance.now()
    await hear()
    await until(() => stream.state.closed !== undefined && follower.state.closed !== undefined)
    assert.isBelow(performance.now() - since, 1_000)
    assert.deepEqual([stream.state.closed, follower.state.closed], [1000, 1000])
    assert.strictEqual((await session.post(request(1, "ping"))).status, 401)

    const old = await connectSse()
    clerk.banned.add(old.session.principal.userId)
    await stubOf(old.session.principal.userId).hear(factsChanged(old.session.principal.userId))
    await until(() => old.stream.state.closed === 1000)
  })

  it("has what is stored for a deleted user erased, and what is stored for one who is there not", async () => {
    const [gone, there] = [await connected(), await connected()]
    clerk.deleted.add(gone.userId)
    for (const { userId, hear } of [gone, there]) {
      await stubOf(userId).writeEntry({ name: "note", value: '"kept"' })
      await hear()
    }
    await until(async () => (await stubOf(gone.userId).readEntry("note")) === null)
    await pause(300)
    assert.strictEqual(await stubOf(there.userId).readEntry("note"), '"kept"')
  })

  it("closes nothing where Clerk does not say so itself, whatever the event was", async () => {
    const { userId, stream, hear } = await connected()
    const before = asked(userId)
    await hear()
    await until(() => asked(userId) === before + 1)
    await pause(300)
    assert.isUndefined(stream.state.closed)
  })

  it("does nothing when it is delivered again, also after the object was replaced", async () => {
    const { userId, hear } = await connected()
    const event = factsChanged(userId)
    const before = asked(userId)
    await hear(event)
    await until(() => asked(userId) === before + 1)
    await hear(event)
    await evictDurableObject(stubOf(userId))
    await hear(event)
    await pause(1_500)
    assert.strictEqual(asked(userId), before + 1)
  })

  it("costs one look with nineteen others, and one more for what comes while Clerk is asked", async () => {
    const { userId, hear } = await connected()
    const before = asked(userId)
    clerk.latency = Effect.sleep(500)
    await Promise.all(Array.from({ length: 20 }, () => hear()))
    await until(() => asked(userId) === before + 1)
    await Promise.all(Array.from({ length: 20 }, () => hear()))
    await pause(2_500)
    assert.strictEqual(asked(userId), before + 2)
  })

  it("is one look a second with others, however many come", async () => {
    const { userId, hear } = await connected()
    const before = asked(userId)
    const since = performance.now()
    while (performance.now() - since < 2_500) {
      await hear()
      await pause(50)
    }
    assert.isAtMost(asked(userId) - before, 3)
    assert.isAtLeast(asked(userId) - before, 2)
  })

  it("is looked at again later, where Clerk does not answer, by a new instance of the object too", async () => {
    const { userId, stream, hear } = await connected()
    clerk.silent.add(userId)
    const before = asked(userId)
    await hear()
    await until(() => asked(userId) === before + 1)
    clerk.silent.delete(userId)
    clerk.banned.add(userId)
    await evictDurableObject(stubOf(userId))
    await pause(4_500)
    await until(() => stream.state.closed === 1000)
  })

  it("leaves no trace in the object of somebody who never connected, and asks Clerk nothing", async () => {
    const userId = freshUser()
    await stubOf(userId).hear(factsChanged(userId))
    await stubOf(userId).hear(clerkSessionChanged(userId, "sess_unknown"))
    assert.lengthOf(await stubOf(userId).lookAgain(factsChanged(userId)), 0)
    await pause(500)
    assert.deepEqual(await tables(userId), [])
    assert.strictEqual(asked(userId), 0)
  })

  it("that is out of order changes nothing: a membership that ended and is there again", async () => {
    const { userId, stream, hear } = await connected()
    grants.set(userId, [grantOf("grant-1", { organizationId: "org_acme" })])
    clerk.organizations.set(userId, ["org_acme"])
    // Deleted after created on the wire, created after deleted in Clerk.
    const before = asked(userId)
    await hear()
    await until(() => asked(userId) > before)
    await hear()
    await until(() => asked(userId) > before + 1)
    await pause(300)
    assert.lengthOf(grants.get(userId) ?? [], 1)
    assert.isUndefined(stream.state.closed)
  })

  it("ends the grants for an organization that was left, and leaves the others", async () => {
    const { userId, session, stream, hear } = await connected()
    const other = await Session.open(identityOf(userId, "grant-2"))
    const kept = await other.stream()
    grants.set(userId, [
      grantOf("grant-1", { organizationId: "org_left" }),
      grantOf("grant-2", { organizationId: "org_kept" }),
      grantOf("personal")
    ])
    clerk.organizations.set(userId, ["org_kept"])
    await hear()
    await until(() => stream.state.closed === 1000)
    assert.strictEqual((await new Session(session.principal).post(initialize())).status, 401)
    assert.deepEqual(
      (grants.get(userId) ?? []).map(({ id }) => id as string),
      ["grant-2", "personal"]
    )
    assert.isUndefined(kept.state.closed)
    assert.deepEqual(await messagesOf(await other.post(request(1, "ping"))), [{ jsonrpc: "2.0", id: 1, result: {} }])
  })
})

describe("a webhook of Clerk about a Clerk session", () => {
  it("ends the grants that were made from it, once Clerk says that it has ended, and asks about no other", async () => {
    const { userId, stream, hear } = await connected()
    const other = await (await Session.open(identityOf(userId, "grant-2"))).stream()
    const before = asked(userId)
    grants.set(userId, [
      grantOf("grant-1", { clerkSessionId: "sess_ofAda" }),
      grantOf("grant-2", { clerkSessionId: "sess_elsewhere" })
    ])
    await hear(clerkSessionChanged(userId, "sess_ofAda"))
    await until(() => asked("sess_ofAda") === 1)
    await pause(300)
    assert.isUndefined(stream.state.closed)

    clerk.endedSessions.add("sess_ofAda")
    await hear(clerkSessionChanged(userId, "sess_ofAda"))
    await hear(clerkSessionChanged(userId, "sess_ofNoGrant"))
    await until(() => stream.state.closed === 1000)
    await pause(300)
    assert.isUndefined(other.state.closed)
    assert.deepEqual([asked("sess_elsewhere"), asked("sess_ofNoGrant"), asked(userId)], [0, 0, before])
  })
})
