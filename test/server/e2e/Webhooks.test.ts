import { assert, layer } from "@effect/vitest"

import { onServer, RunningServer } from "../../support/RunningServer.ts"
import { type Delivery, delivery, eventOf } from "../../support/SignedWebhook.ts"
import { deliver, opened, within } from "../../support/OpenSession.ts"
import { modern } from "../../support/Wire.ts"

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const names = ({ result = {} }: { readonly result: Readonly<Record<string, unknown>> | undefined }) =>
  (result["tools"] as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)

const paint = { name: "paint", arguments: { prompt: "a bridge" } }

layer(RunningServer.layer)("webhooks of Clerk", (it) => {
  it.effect(
    "a role that was taken away is refused and not listed within 5 s, in a session and without, and streams are told",
    onServer(async (server) => {
      const grant = await server.signIn("premium@example.com", { scopes: ["paint:use"] })
      const session = await opened(server, grant.accessToken)
      const stateless = (method: string, params = {}) => modern(server.mcp, grant.accessToken, method, params)
      assert.include(names(await session.send("tools/list")), "paint")
      assert.include(names(await stateless("tools/list")), "paint")

      await server.admin((admin) => admin.setRole("premium@example.com", undefined))
      // Without a webhook it still counts.
      assert.include(names(await session.send("tools/list")), "paint")
      const { id } = server.clerk.users.premium
      const passed = await deliver(server, "user.updated", { id, object: "user" })
      assert.isTrue(await within(5_000, () => session.state.text.includes("notifications/tools/list_changed")))
      const told = passed()
      for (const send of [session.send, stateless]) {
        assert.notInclude(names(await send("tools/list")), "paint")
        const refused = await send("tools/call", paint)
        assert.isTrue(refused.result?.["isError"])
        assert.match(JSON.stringify(refused.result?.["content"]), /role premium/u)
      }
      const took = passed()
      assert.isBelow(took, 5_000)
      console.info(`a role: told after ${Math.round(told)} ms, refused and not listed after ${Math.round(took)} ms`)
    })
  )

  it.effect(
    "a ban closes an idle stream within 1 s, and the next call is 401",
    onServer(async (server) => {
      const grant = await server.signIn("artist@example.com")
      const session = await opened(server, grant.accessToken)
      await server.admin((admin) => admin.ban("artist@example.com"))
      await pause(1_500)
      // Clerk has told nobody yet.
      assert.isTrue(session.state.open)
      const { id } = server.clerk.users.artist
      const passed = await deliver(server, "user.updated", { id, object: "user", banned: true })
      assert.isTrue(await within(1_000, () => !session.state.open))
      console.info(`a ban: the stream was closed after ${Math.round(passed())} ms`)
      assert.strictEqual((await session.send("ping")).status, 401)
      assert.strictEqual((await modern(server.mcp, grant.accessToken, "tools/list")).status, 401)
    })
  )

  it.effect(
    "a lie about a user changes nothing: what is not so in Clerk, a replay, an event that comes too late",
    onServer(async (server) => {
      const grant = await server.signIn("member@example.com")
      const session = await opened(server, grant.accessToken)
      const { id } = server.clerk.users.member
      const asked = () => server.admin((admin) => admin.countRequests(`/v1/users/${id}`, "GET"))
      const before = await asked()
      await deliver(server, "user.deleted", { id, object: "user", deleted: true }, { id: "msg_replayed" })
      // The user and the memberships.
      assert.isTrue(await within(2_000, async () => (await asked()) === before + 2))
      for (let times = 0; times < 5; times++) {
        await deliver(server, "user.deleted", { id, object: "user", deleted: true }, { id: "msg_replayed" })
      }
      await deliver(server, "user.created", { id, object: "user" })
      await pause(1_500)
      assert.strictEqual(await asked(), before + 4)
      assert.isTrue(session.state.open)
      assert.strictEqual((await session.send("ping")).status, 200)
    })
  )

  it.effect(
    "events about people who never connected cost Clerk nothing",
    onServer(async (server) => {
      const { id } = server.clerk.users.admin
      await deliver(server, "user.updated", { id, object: "user" })
      await deliver(server, "session.ended", { id: "sess_nobody", user_id: id })
      await pause(1_000)
      assert.strictEqual(await server.admin((admin) => admin.countRequests(`/v1/users/${id}`, "GET")), 0)
    })
  )

  it.effect(
    "forged and old events are refused, 1 MB is not read, and the log names nobody",
    onServer(async (server) => {
      const { id } = server.clerk.users.member
      const event = eventOf("user.updated", { id, email_addresses: [{ email_address: "member@example.com" }] })
      const send = async (how: Delivery, payload: object = event) => {
        const { status } = await fetch(await delivery(payload, how, server.url))
        return status
      }
      const forged = `whsec_${Buffer.alloc(24, 9).toString("base64")}`
      const tooOld = Math.floor(Date.now() / 1_000) - 400
      assert.strictEqual(await send({ secret: forged }), 401)
      assert.strictEqual(await send({ time: tooOld }), 401)
      assert.strictEqual(await send({ time: tooOld + 800 }), 401)
      assert.strictEqual(await send({}, { ...event, padding: "x".repeat(1_000_000) }), 413)
      assert.strictEqual(await send({}), 204)
      const lines = server.logs().join("\n")
      assert.include(lines, "A webhook was refused")
      assert.notInclude(lines, "member@example.com")
    })
  )
})
