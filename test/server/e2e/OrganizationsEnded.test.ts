import { assert, layer } from "@effect/vitest"

import { onServer, RunningServer, type Server, type UserGrant } from "../../support/RunningServer.ts"
import { deliver, opened, subscribed, within } from "../../support/OpenSession.ts"
import { modern } from "../../support/Wire.ts"

const namesOf = ({ result = {} }: { readonly result: Readonly<Record<string, unknown>> | undefined }) =>
  (result["tools"] as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)

const status = async ({ mcp }: Server, { accessToken }: UserGrant) =>
  (await modern(mcp, accessToken, "tools/list")).status

/** Two organizations with this person in both, and a grant for each. */
const memberOfTwo = async (server: Server, email: string, names: readonly [string, string], role = "org:member") => {
  const grants: Array<{ readonly id: string; readonly grant: UserGrant }> = []
  const organizations = []
  for (const name of names) organizations.push(await server.admin((admin) => admin.createOrganization({ name })))
  for (const { id } of organizations) await server.admin((admin) => admin.addMember(id, email, role))
  for (const { id } of organizations) grants.push({ id, grant: await server.signIn(email, { organization: id }) })
  return grants as [(typeof grants)[number], (typeof grants)[number]]
}

/** What is open under a grant: the stream of a session, and one of 2026-07-28. */
const everything = async (server: Server, { accessToken }: UserGrant) => {
  const [session, subscription] = await Promise.all([opened(server, accessToken), subscribed(server, accessToken)])
  return { session, open: () => [session.state.open, subscription.open] }
}

layer(RunningServer.layer)("the grant for an organization", (it) => {
  it.effect(
    "ends within 1 s of the webhook that says that the membership ended, with its streams, and another goes on",
    onServer(async (server) => {
      const email = "member@example.com"
      const [left, kept] = await memberOfTwo(server, email, ["Left", "Kept"])
      const [ofLeft, ofKept] = [await everything(server, left.grant), await everything(server, kept.grant)]
      await server.admin((admin) => admin.removeMember(left.id, email))
      const user = { public_user_data: { user_id: server.clerk.users.member.id }, organization: { id: left.id } }
      const passed = await deliver(server, "organizationMembership.deleted", user)
      const closed = await within(3_000, () => ofLeft.open().every((open) => !open))
      const took = passed()
      assert.isTrue(closed)
      assert.isBelow(took, 1_000)
      assert.strictEqual(await status(server, left.grant), 401)
      assert.strictEqual((await ofLeft.session.send("ping")).status, 401)
      assert.deepStrictEqual(ofKept.open(), [true, true])
      assert.strictEqual(await status(server, kept.grant), 200)
      assert.strictEqual((await ofKept.session.send("ping")).status, 200)
      console.info(`a membership ended: streams closed after ${Math.round(took)} ms, the next call was 401`)
    })
  )

  it.effect(
    "is refused without a webhook once the snapshot is old, and another goes on",
    onServer(async (server) => {
      const email = "artist@example.com"
      const [left, kept] = await memberOfTwo(server, email, ["Left in silence", "Kept in silence"])
      await server.admin((admin) => admin.removeMember(left.id, email))
      assert.strictEqual(await status(server, left.grant), 200)
      await server.restart()
      assert.strictEqual(await status(server, left.grant), 401)
      assert.strictEqual(await status(server, kept.grant), 200)
    })
  )

  it.effect(
    "loses the permission that was taken from a role of the instance within 5 s, in a session and without",
    onServer(async (server) => {
      const email = "premium@example.com"
      await server.admin((admin) => admin.createRole("org:reader", ["org:reports:read"]))
      const [{ grant }] = await memberOfTwo(server, email, ["Readers", "Other readers"], "org:reader")
      const session = await opened(server, grant.accessToken)
      const stateless = (method: string, params = {}) => modern(server.mcp, grant.accessToken, method, params)
      const lanes = [session.send, stateless]
      for (const send of lanes) assert.include(namesOf(await send("tools/list")), "readReports")
      const role = await server.admin((admin) => admin.setRolePermissions("org:reader", ["org:sys_memberships:read"]))
      for (const send of lanes) assert.include(namesOf(await send("tools/list")), "readReports")
      const passed = await deliver(server, "role.updated", { id: role.id, key: role.key, object: "role" })
      const changed = () => session.state.text.includes("notifications/tools/list_changed")
      assert.isTrue(await within(15_000, changed))
      const told = passed()
      for (const send of lanes) {
        assert.notInclude(namesOf(await send("tools/list")), "readReports")
        const { result } = await send("tools/call", { name: "readReports", arguments: {} })
        assert.isTrue(result?.["isError"])
        assert.match(JSON.stringify(result?.["content"]), /permission org:reports:read in your organization/u)
      }
      const took = passed()
      assert.isBelow(took, 5_000)
      console.info(
        `a permission taken from a role: told after ${Math.round(told)} ms, refused and not listed after ${Math.round(took)} ms`
      )
    })
  )

  it.effect(
    "ends within 1 s of the webhook about its organization, which names no member",
    onServer(async (server) => {
      const email = "analyst@example.com"
      const [gone, kept] = await memberOfTwo(server, email, ["Gone", "Still here"])
      const [ofGone, ofKept] = [await everything(server, gone.grant), await everything(server, kept.grant)]
      await server.admin((admin) => admin.deleteOrganization(gone.id))
      assert.deepStrictEqual(ofGone.open(), [true, true])
      const passed = await deliver(server, "organization.deleted", {
        id: gone.id,
        object: "organization",
        deleted: true
      })
      // However short before it another event was, as the one on the role above: there are few to tell.
      assert.isTrue(await within(12_000, () => ofGone.open().every((open) => !open)))
      const took = passed()
      assert.isBelow(took, 1_000)
      assert.strictEqual(await status(server, gone.grant), 401)
      assert.deepStrictEqual(ofKept.open(), [true, true])
      assert.strictEqual(await status(server, kept.grant), 200)
      console.info(`an organization deleted: streams closed after ${Math.round(took)} ms`)
    })
  )
})
