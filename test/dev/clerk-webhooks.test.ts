import { verifyWebhook, type WebhookEvent } from "@clerk/backend/webhooks"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { serve } from "../support/FetchServer.ts"
import { freePort } from "../support/FreePort.ts"
import { hookClient } from "./support/HookClient.ts"

const secret = `whsec_${btoa("a secret of the tests, no real one")}`

interface Received {
  readonly svixId: string
  /** What the SDK makes of it; undefined if it does not take it. */
  readonly event: WebhookEvent | undefined
}

/** A receiver that checks as the SDK does, answers 200 or 400, and fails as often as it is told before that. */
const receiving = Effect.gen(function* () {
  const standIn = yield* ClerkStandIn
  yield* standIn.admin.reset
  const received: Array<Received> = []
  let failures = 0
  const url = yield* serve(yield* Effect.promise(freePort), async (request) => {
    const svixId = request.headers.get("svix-id") ?? ""
    const event = await verifyWebhook(request, { signingSecret: secret }).catch(() => undefined)
    received.push({ svixId, event })
    if (failures-- > 0) return new Response(null, { status: 503 })
    return new Response(null, { status: event === undefined ? 400 : 200 })
  })
  const address = `${url}/webhooks/clerk`
  yield* standIn.admin.setWebhooks({ url: address, secret })
  const run = Effect.runPromiseWith(yield* Effect.context())
  const settled = (count: number) =>
    Effect.promise(async () => {
      const deadline = performance.now() + 8000
      while ((await run(standIn.admin.webhookDeliveries)).length < count) {
        if (performance.now() > deadline) throw new Error(`fewer than ${count} deliveries`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })
  return {
    ...standIn,
    address,
    hook: hookClient(standIn.url),
    received,
    settled,
    types: () => received.map(({ event }) => event?.type),
    failNext: (times: number) => void (failures = times)
  }
})

layer(ClerkStandIn.layer({ port: 0 }))("Clerk stand-in's webhooks", (it) => {
  it.effect("tells of each change, in order, signed as the SDK checks it", () =>
    Effect.gen(function* () {
      const { admin, received, settled, types, users } = yield* receiving
      yield* admin.setRole("member@example.com", "premium")
      const session = yield* admin.createSession("member@example.com")
      yield* admin.endSession(session.id)
      yield* admin.createOrganization({ name: "Blue" })
      yield* admin.addMember("blue", "member@example.com", "org:member")
      yield* admin.setMemberRole("blue", "member@example.com", "org:admin")
      yield* admin.setRolePermissions("org:admin", ["org:pages:write"])
      yield* admin.deletePermission("org:pages:write")
      yield* admin.renameOrganization("blue", { name: "Azure" })
      yield* admin.deleteOrganization("blue")
      yield* settled(13)
      assert.deepEqual(types(), [
        "user.updated",
        "session.created",
        "session.ended",
        "organization.created",
        "organizationMembership.created",
        "organizationMembership.updated",
        "permission.created",
        "role.updated",
        "role.updated",
        "permission.deleted",
        "organization.updated",
        "organizationMembership.deleted",
        "organization.deleted"
      ])
      const [updated, , ended] = received.map(({ event }) => event)
      assert.deepInclude(updated?.data, { id: users.member.id, public_metadata: { role: "premium" } })
      assert.deepInclude(ended?.data, { id: session.id, status: "ended", user_id: users.member.id })
    })
  )

  it.effect("tells of bans, locks, and users who come and go", () =>
    Effect.gen(function* () {
      const { admin, received, settled, types } = yield* receiving
      yield* admin.createSession("analyst@example.com")
      yield* admin.ban("analyst@example.com")
      yield* admin.lock("analyst@example.com")
      yield* admin.deleteUser("analyst@example.com")
      yield* admin.createUser({ email: "new@example.com" })
      yield* settled(8)
      assert.deepEqual(types(), [
        "session.created",
        "user.updated",
        "session.revoked",
        "user.updated",
        "organizationMembership.deleted",
        "organizationMembership.deleted",
        "user.deleted",
        "user.created"
      ])
      const [, banned, , locked] = received.map(({ event }) => event?.data)
      assert.propertyVal(banned, "banned", true)
      assert.propertyVal(locked, "locked", true)
    })
  )

  it.effect("tries again under the same id, keeps the order, and gives up after four attempts", () =>
    Effect.gen(function* () {
      const { admin, failNext, hook, received, settled } = yield* receiving
      failNext(2)
      yield* admin.lock("member@example.com")
      yield* admin.unlock("member@example.com")
      yield* settled(2)
      assert.deepEqual(
        received.map(({ event }) => (event?.type === "user.updated" ? event.data.locked : undefined)),
        [true, true, true, false]
      )
      assert.lengthOf(new Set(received.map(({ svixId }) => svixId)), 2)
      failNext(10)
      yield* admin.lock("member@example.com")
      yield* settled(3)
      const listed = yield* hook("webhooks")
      const deliveries: unknown = yield* Effect.promise(() => listed.json())
      assert.deepEqual(Array.isArray(deliveries) ? deliveries.map(({ attempts, status }) => [attempts, status]) : [], [
        [4, 503],
        [1, 200],
        [3, 200]
      ])
    })
  )

  it.effect("does not wait for the receiver, and drops what nobody takes", () =>
    Effect.gen(function* () {
      const { admin, settled } = yield* receiving
      yield* admin.setWebhooks({ url: `http://localhost:${yield* Effect.promise(freePort)}/`, secret })
      const started = performance.now()
      yield* admin.lock("member@example.com")
      assert.isBelow(performance.now() - started, 100)
      yield* settled(1)
      assert.deepInclude((yield* admin.webhookDeliveries)[0], { type: "user.updated", status: null, attempts: 4 })
    })
  )

  it.effect("sends what a test wants: forgeries, replays and old events", () =>
    Effect.gen(function* () {
      const { hook, received } = yield* receiving
      const event = { type: "user.updated", data: { object: "user", id: "user_x" } }
      const status = (more: object = {}) =>
        Effect.gen(function* () {
          const response = yield* hook("webhooks/send", { ...event, ...more })
          const delivery: unknown = yield* Effect.promise(() => response.json())
          return delivery !== null && typeof delivery === "object" && "status" in delivery ? delivery.status : undefined
        })
      assert.strictEqual(yield* status({ svixId: "msg_one" }), 200)
      assert.strictEqual(yield* status({ svixId: "msg_one" }), 200)
      assert.deepEqual(
        received.map(({ svixId }) => svixId),
        ["msg_one", "msg_one"]
      )
      assert.strictEqual(yield* status({ secret: `whsec_${btoa("another")}` }), 400)
      assert.strictEqual(yield* status({ signature: "v1,AAAA" }), 400)
      assert.strictEqual(yield* status({ timestampOffset: -200 }), 200)
      assert.strictEqual(yield* status({ timestampOffset: -400 }), 400)
      assert.strictEqual(yield* status({ timestampOffset: 400 }), 400)
      assert.strictEqual(yield* status({ body: "{" }), 400)
    })
  )

  it.effect("sends nothing where it is off, after a reset, and takes no secret that is none", () =>
    Effect.gen(function* () {
      const { address, admin, hook, received } = yield* receiving
      assert.strictEqual((yield* hook("webhooks", { url: address, secret: "swordfish" })).status, 422)
      assert.isTrue((yield* hook("webhooks", { url: null })).ok)
      assert.strictEqual((yield* hook("webhooks/send", { type: "user.updated", data: {} })).status, 422)
      yield* admin.ban("member@example.com")
      assert.isTrue((yield* hook("webhooks", { url: address, secret })).ok)
      yield* admin.reset
      yield* admin.ban("premium@example.com")
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 200)))
      assert.isEmpty(received)
    })
  )
})
