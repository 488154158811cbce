import { assert, layer } from "@effect/vitest"

import { deliver, opened, within } from "../../support/OpenSession.ts"
import { everything, signedIn } from "../../support/OpenStreams.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"
import { legacy, modern, type Reply } from "../../support/Wire.ts"

const email = "member@example.com"
const tool = "readReports"

const names = ({ result = {} }: Pick<Reply, "result">) =>
  (result["tools"] as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)

/** Two organizations of one person, who may read reports in the first. */
const tenants = async (server: Server) => {
  await server.admin((admin) => admin.reset)
  const organization = async (name: string, role: string) => {
    const { id } = await server.admin((admin) => admin.createOrganization({ name }))
    await server.admin((admin) => admin.addMember(id, email, role))
    return id
  }
  const [may, mayNot] = [await organization("May", "org:analyst"), await organization("May Not", "org:member")]
  // What Clerk said before is of no more use.
  await server.restart()
  return { may, mayNot }
}

/** Both lanes of a grant: a session with its stream, and calls without one. */
const lanes = async (server: Server, accessToken: string) => {
  const session = await opened(server, accessToken)
  const alone = (method: string, params = {}) => modern(server.mcp, accessToken, method, params)
  return { session, sends: [session.send, alone] }
}
type Lanes = Awaited<ReturnType<typeof lanes>>

const isListed = async ({ sends }: Lanes) => {
  const lists = await Promise.all(sends.map(async (send) => names(await send("tools/list")).includes(tool)))
  assert.strictEqual(new Set(lists).size, 1)
  return lists[0]
}

const assertServed = async ({ sends }: Lanes, of: string) => {
  for (const send of sends) {
    const { result } = await send("tools/call", { name: tool, arguments: {} })
    assert.deepEqual(result?.["structuredContent"], { of })
  }
}

/** Refused for want of the permission, and nothing of the organization is told. */
const assertRefused = async ({ sends }: Lanes) => {
  for (const send of sends) {
    const { result } = await send("tools/call", { name: tool, arguments: {} })
    assert.isTrue(result?.["isError"])
    assert.match(JSON.stringify(result?.["content"]), /org:reports:read/u)
    assert.isUndefined(result?.["structuredContent"])
  }
}

layer(RunningServer.layer)("a person of two organizations, who has a permission in one", (it) => {
  it.effect(
    "loses, by leaving it, that connection and no other",
    onServer(async (server) => {
      const { may, mayNot } = await tenants(server)
      const left = await everything(server, ...(await signedIn(server, email, { organization: may })))
      const stays = await everything(server, ...(await signedIn(server, email, { organization: mayNot })))
      const personal = await everything(server, ...(await signedIn(server, email, { organization: "personal" })))
      await server.admin((admin) => admin.removeMember(may, email))
      const { id } = server.clerk.users.member
      await deliver(server, "organizationMembership.deleted", { public_user_data: { user_id: id } })
      assert.isTrue(await within(1_000, () => left.open().length === 0), left.open().join(", "))
      assert.deepEqual(await left.pings(), [401, 401])
      for (const other of [stays, personal]) {
        assert.lengthOf(other.open(), 3)
        assert.deepEqual(await other.pings(), [200, 202])
      }
    })
  )

  it.effect(
    "is told when a role gets another permission, and has it at once in the organizations where it is theirs",
    onServer(async (server) => {
      const { may, mayNot } = await tenants(server)
      const one = await lanes(server, (await server.signIn(email, { organization: may })).accessToken)
      const other = await lanes(server, (await server.signIn(email, { organization: mayNot })).accessToken)
      assert.deepEqual([await isListed(one), await isListed(other)], [true, false])
      await assertServed(one, "May")
      await assertRefused(other)

      await server.admin((admin) => admin.setRolePermissions("org:analyst", []))
      await server.admin((admin) => admin.setRolePermissions("org:member", ["org:reports:read"]))
      const passed = await deliver(server, "role.updated", { object: "role", key: "org:member" })
      const told = () => [one, other].every(({ session }) => session.state.text.includes("tools/list_changed"))
      assert.isTrue(await within(5_000, told))
      assert.deepEqual([await isListed(one), await isListed(other)], [false, true])
      await assertRefused(one)
      await assertServed(other, "May Not")
      console.info(`a role.updated: told, listed and judged anew after ${Math.round(passed())} ms`)
      assert.isBelow(passed(), 5_000)
    })
  )

  it.effect(
    "loses the connection for an organization that is deleted, and no other, within 1 s of its webhook",
    onServer(async (server) => {
      const { may, mayNot } = await tenants(server)
      const gone = await everything(server, ...(await signedIn(server, email, { organization: may })))
      const stays = await lanes(server, (await server.signIn(email, { organization: mayNot })).accessToken)
      await server.admin((admin) => admin.deleteOrganization(may))
      const passed = await deliver(server, "organization.deleted", { id: may, object: "organization", deleted: true })
      // However short before it another event was: there are few to tell.
      assert.isTrue(await within(1_000, () => gone.open().length === 0), gone.open().join(", "))
      console.info(`an organization.deleted: every stream was closed after ${Math.round(passed())} ms`)
      assert.deepEqual(await gone.pings(), [401, 401])
      assert.isTrue(stays.session.state.open)
      assert.strictEqual((await stays.session.send("ping")).status, 200)
      assert.strictEqual((await legacy(server.mcp, gone.mcpGrant.accessToken, "tools/list")).status, 401)
    })
  )
})
