import { assert, layer } from "@effect/vitest"

import { deliver, opened, within } from "../../support/OpenSession.ts"
import { everything, signedIn } from "../../support/OpenStreams.ts"
import { once, onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { legacy, modern, type Reply } from "../../support/Wire.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const paint = { name: "paint", arguments: { prompt: "a bridge" } }
const sum = { name: "sum", arguments: { a: 1, b: 2 } }

const names = ({ result = {} }: Pick<Reply, "result">) =>
  (result["tools"] as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)

/** A role that was taken away, of which no webhook tells, and when it was. */
const forgotten = once(async (server) => {
  const { accessToken } = await server.signIn("admin@example.com", { scopes: ["paint:use"] })
  const session = await opened(server, accessToken)
  const stateless = (method: string, params = {}) => modern(server.mcp, accessToken, method, params)
  for (const send of [session.send, stateless]) assert.include(names(await send("tools/list")), "paint")
  await server.admin((admin) => admin.setRole("admin@example.com", undefined))
  return { since: performance.now(), lanes: [session.send, stateless] }
})

/** What ends everything that a person has open, and how Clerk or the client tells of it. */
const ends: Readonly<
  Record<
    string,
    {
      readonly who: "artist" | "member" | "premium"
      readonly end: (server: Server, end: Ended) => Promise<() => number>
    }
  >
> = {
  "a revocation by the client": {
    who: "artist",
    end: async (_, { grants }) => {
      await Promise.all(grants.map(({ client, refreshToken }) => client.revoke(refreshToken)))
      const at = performance.now()
      return () => performance.now() - at
    }
  },
  "a ban": {
    who: "artist",
    end: async (server, { email, id }) => {
      await server.admin((admin) => admin.ban(email))
      return deliver(server, "user.updated", { id, object: "user", banned: true })
    }
  },
  "a deletion": {
    who: "member",
    end: async (server, { email, id }) => {
      await server.admin((admin) => admin.deleteUser(email))
      return deliver(server, "user.deleted", { id, object: "user", deleted: true })
    }
  },
  "the end of a membership": {
    who: "premium",
    end: async (server, { email, id }) => {
      await server.admin((admin) => admin.removeMember("lumen-labs", email))
      return deliver(server, "organizationMembership.deleted", {
        object: "organization_membership",
        public_user_data: { user_id: id }
      })
    }
  }
}

interface Ended {
  readonly email: string
  readonly id: string
  readonly grants: Awaited<ReturnType<typeof signedIn>>
}

layer(RunningServer.layer)("what ends, or is taken away", (it) => {
  it.effect(
    "begins with a role of which no webhook tells",
    onServer(async (server) => {
      await server.admin((admin) => admin.reset)
      const { lanes } = await forgotten(server)
      for (const send of lanes) assert.include(names(await send("tools/list")), "paint")
    })
  )

  for (const [what, { who, end }] of Object.entries(ends)) {
    it.effect(
      `${what} makes the next call 401 and closes every stream within 1 s`,
      onServer(async (server) => {
        const { email, id } = server.clerk.users[who]
        await server.admin((admin) => admin.unban(email))
        if (who === "premium") await server.admin((admin) => admin.addMember("lumen-labs", email, "org:member"))
        const grants = await signedIn(server, email)
        const open = await everything(server, ...grants)
        assert.lengthOf(open.open(), 3)
        const passed = await end(server, { email, id, grants })
        assert.isTrue(await within(1_000, () => open.open().length === 0), open.open().join(", "))
        console.info(`${what}: every stream was closed after ${Math.round(passed())} ms`)
        assert.deepEqual(await open.pings(), [401, 401])
        for (const send of [modern, legacy]) {
          assert.strictEqual((await send(server.mcp, grants[0].accessToken, "tools/list")).status, 401)
        }
      })
    )
  }

  it.effect(
    "a role that was taken away is refused and not listed within 60 s without a webhook, in a session and without",
    onServer(async (server) => {
      const { since, lanes } = await forgotten(server)
      const [session, stateless] = lanes
      const isListed = async (send = session) => names((await send?.("tools/list")) ?? { result: {} }).includes("paint")
      while (await isListed()) await pause(250)
      const took = performance.now() - since
      assert.isFalse(await isListed(stateless))
      for (const send of lanes) {
        const refused = await send("tools/call", paint)
        assert.isTrue(refused.result?.["isError"])
        assert.match(JSON.stringify(refused.result?.["content"]), /premium/u)
      }
      console.info(`a role without a webhook: refused and not listed after ${(took / 1_000).toFixed(1)} s`)
      // The snapshot is from before, and the list is asked for four times a second.
      assert.isBelow(took, 60_500)
    }),
    120_000
  )
})

/** How long an answer took, which is within 6 s. */
const timed = async (what: string, ask: () => Promise<Reply>): Promise<Reply> => {
  const since = performance.now()
  const reply = await ask()
  const took = performance.now() - since
  console.info(`${what}: answered after ${(took / 1_000).toFixed(2)} s`)
  assert.isBelow(took, 6_000, what)
  assert.strictEqual(reply.status, 200, what)
  return reply
}

const introduction = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "patient", version: "1" } }

layer(RunningServer.layerObserved())("while Clerk does not answer", (it) => {
  it.effect(
    "a call is answered within 6 s in either lane, the first one ever and one with an old snapshot",
    onServer(async (server) => {
      const people = ["admin", "premium", "artist", "member"] as const
      const tokens = new Map<string, string>()
      for (const who of people) tokens.set(who, (await server.signIn(`${who}@example.com`)).accessToken)
      const tokenOf = (who: (typeof people)[number]) => tokens.get(who) ?? ""
      const oldSession = await opened(server, tokenOf("admin"))
      await server.restart()
      const record = async (who: (typeof people)[number], secondsAgo: number | undefined) => {
        const object = await server.object(server.clerk.users[who].id)
        const stored = (await object.readRecords()).find(({ key }) => key === "clerk")?.value ?? "{}"
        const takenAt = Date.now() - (secondsAgo ?? 0) * 1_000
        const said = JSON.parse(stored) as { readonly snapshot: object }
        const old = JSON.stringify({ ...said, takenAt, snapshot: { ...said.snapshot, takenAt } })
        await object.writeRecord("clerk", secondsAgo === undefined ? null : old)
      }
      await record("admin", 120)
      await record("premium", 120)
      await record("artist", undefined)
      await record("member", undefined)
      await server.admin((admin) =>
        admin.addFault({ path: "/v1/", times: 1_000, effect: { kind: "delay", millis: 30_000 } })
      )

      const [inSession, alone, firstAlone, firstInSession] = await Promise.all([
        timed("an old snapshot, in a session", () => oldSession.send("tools/call", sum)),
        timed("an old snapshot, without a session", () => modern(server.mcp, tokenOf("premium"), "tools/call", sum)),
        timed("no snapshot, without a session", () => modern(server.mcp, tokenOf("artist"), "tools/call", sum)),
        timed("no snapshot, opening a session", () => legacy(server.mcp, tokenOf("member"), "initialize", introduction))
      ])
      for (const { result } of [inSession, alone]) assert.deepEqual(result?.["structuredContent"], { sum: 3 })
      assert.isTrue(firstAlone.result?.["isError"])
      assert.match(JSON.stringify(firstAlone.result), /cannot be checked right now/u)
      const session = { headers: { "mcp-session-id": firstInSession.headers.get("mcp-session-id") ?? "" } }
      const called = await timed("no snapshot, in a session", () =>
        legacy(server.mcp, tokenOf("member"), "tools/call", sum, session)
      )
      assert.match(JSON.stringify(called.result), /cannot be checked right now/u)
      await server.admin((admin) => admin.reset)
    })
  )
})
