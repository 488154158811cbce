import { assert, describe, it } from "@effect/vitest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"

import {
  ClerkMisconfigured,
  ClerkUnavailable,
  ClerkUnexpected,
  ClerkSessionEnded
} from "../../../src/server/clerk/ClerkError.ts"
import { AppApi } from "../../../src/server/capability/AppApi.ts"
import { ClerkSessionId, OrganizationId } from "../../../src/server/domain/Principal.ts"
import { UserGrants, GrantsUnavailable } from "../../../src/server/capability/UserGrants.ts"
import {
  appUrl,
  call,
  inWorld,
  confidential,
  told,
  unfit,
  unreachable,
  withSession,
  World
} from "../../support/AppWorld.ts"
import { request } from "../../support/People.ts"

describe("the session behind AppApi", () => {
  it.effect("replaces a token that the app refuses, once", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        world.answers.push(new Response(confidential, { status: 401 }))
        assert.deepEqual(yield* call(), { hello: "Ada" })
        assert.deepStrictEqual(
          world.sent.map(({ headers }) => headers.get("authorization")),
          ["Bearer token-1", "Bearer token-2"]
        )
        assert.deepStrictEqual(world.refused, ["token-1"])
      })
    )
  )

  it.effect("gives up after the second 401, and leaves the connection: the session is alive", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        for (let time = 0; time < 3; time++) world.answers.push(new Response(confidential, { status: 401 }))
        assert.strictEqual(yield* told(world, call()), unfit("status 401"))
        assert.lengthOf(world.sent, 2)
        assert.deepStrictEqual(world.ended, [])
      })
    )
  )

  it.effect("ends the connection of a session that has ended, and asks the person to connect again", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const again = "This connection has no living session in the app. Connect again to sign in."
        world.noToken = new ClerkSessionEnded()
        assert.strictEqual(yield* told(world, call()), again)
        assert.deepStrictEqual(world.ended, [["user_ada", "grantOfAda"]])
        assert.lengthOf(world.sent, 0)
      })
    )
  )

  it.effect("ends the connection also where the session ended between two tokens", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        world.answers.push(new Response(confidential, { status: 401 }))
        const fiber = yield* Effect.forkChild(Effect.flip(call()))
        world.latency = Effect.sync(() => void (world.noToken = new ClerkSessionEnded()))
        assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "SignInNeeded")
        assert.deepStrictEqual(world.ended, [["user_ada", "grantOfAda"]])
        assert.lengthOf(world.sent, 1)
      })
    )
  )

  it.effect("says so too when the connection cannot be ended right now", () =>
    Effect.gen(function* () {
      const world = new World()
      world.noToken = new ClerkSessionEnded()
      const connections = Layer.mock(UserGrants, { end: () => Effect.fail(new GrantsUnavailable()) })
      const layer = Layer.provide(AppApi.layerNoDeps(appUrl), [
        world.tokens,
        connections,
        world.http,
        SecureRandom.layerWebCrypto
      ])
      const { reason } = yield* Effect.flip(Effect.provide(call(), Layer.merge(layer, withSession)))
      assert.strictEqual(reason._tag, "SignInNeeded")
    })
  )

  it.effect("asks a connection that was made without a session to connect again, and asks nobody else", () =>
    inWorld(
      (world) =>
        Effect.gen(function* () {
          assert.include(yield* told(world, call()), "Connect again")
          assert.deepStrictEqual([world.minted, world.sent.length, world.ended.length], [0, 0, 0])
        }),
      request()
    )
  )

  for (const [reason, message] of [
    [new ClerkUnavailable({ operation: "sessions.getToken", status: 429 }), unreachable("no token from Clerk")],
    [new ClerkMisconfigured({ operation: "sessions.getToken", status: 401 }), unfit("Clerk gives no token for it")],
    [new ClerkUnexpected({ operation: "sessions.getToken", detail: "x" }), unfit("Clerk gives no token for it")]
  ] as const) {
    it.effect(`keeps the connection, and logs why, without a token: ${reason._tag}`, () =>
      inWorld((world) =>
        Effect.gen(function* () {
          world.noToken = reason
          assert.strictEqual(yield* told(world, call()), message)
          assert.deepStrictEqual([world.sent.length, world.ended.length], [0, 0])
          assert.include(world.log.join(), reason._tag)
        })
      )
    )
  }
})

describe("the organization behind AppApi", () => {
  const acme = OrganizationId.make("org_acme")
  const session = { clerkSessionId: ClerkSessionId.make("sess_1") }
  const forAcme = request({}, { ...session, organizationId: acme })
  const opened = (id: string) => ({ o: { id, rol: "admin" } })

  const used = (claims: object, as: typeof withSession) =>
    inWorld((world) => {
      world.claims = [claims]
      return Effect.map(call(), () => world.minted)
    }, as)

  for (const [what, claims, as] of [
    ["names the grant's organization", opened("org_acme"), forAcme],
    ["names it as templates and older tokens do", { org_id: "org_acme" }, forAcme],
    ["names none, because the template leaves it out", { sub: "user_ada" }, forAcme],
    ["names none, for a personal account", {}, withSession],
    ["says that none is open, for a personal account", { org_id: null }, withSession],
    ["says so with an empty text", { org_id: "" }, withSession]
  ] as const) {
    it.effect(`uses a token that ${what}`, () =>
      Effect.map(used(claims, as), (minted) => assert.strictEqual(minted, 1))
    )
  }

  for (const [what, claims, as, words] of [
    ["another one is open", opened("org_globex"), forAcme, "Another organization is open in the app"],
    [
      "another one is open, by a template",
      { org_id: "org_globex" },
      forAcme,
      "Another organization is open in the app"
    ],
    ["none is open, and the token says so", { org_id: null }, forAcme, "Another organization is open in the app"],
    ["the grant is for a personal account", opened("org_acme"), withSession, "Switch to the personal account"]
  ] as const) {
    it.effect(`does not call the app where ${what}, and tells the person what to do`, () =>
      inWorld(
        (world) =>
          Effect.gen(function* () {
            world.claims = [claims, claims]
            assert.include(yield* told(world, call()), words)
            assert.strictEqual(world.minted, 2)
            assert.isEmpty(world.sent)
            assert.isEmpty(world.ended)
            world.claims = [claims, claims]
            const write = Effect.flatMap(AppApi, (app) => app.post("/api/me"))
            assert.include(yield* told(world, write), words)
            assert.isEmpty(world.sent)
          }),
        as
      )
    )
  }

  it.effect("asks for another token once, for whoever has just switched in the app", () =>
    inWorld(
      (world) =>
        Effect.gen(function* () {
          world.claims = [opened("org_globex"), opened("org_acme")]
          assert.deepEqual(yield* call(), { hello: "Ada" })
          assert.lengthOf(world.refused, 1)
          assert.lengthOf(world.sent, 1)
        }),
      forAcme
    )
  )

  it.effect("does not follow a switch between two tries", () =>
    inWorld(
      (world) =>
        Effect.gen(function* () {
          world.claims = [opened("org_acme"), opened("org_globex")]
          world.answers.push(new Response(null, { status: 401 }))
          assert.include(yield* told(world, call()), "Another organization is open in the app")
          assert.lengthOf(world.sent, 1)
        }),
      forAcme
    )
  )
})
