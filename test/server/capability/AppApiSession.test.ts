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
