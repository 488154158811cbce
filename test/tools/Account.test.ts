import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import { ClerkSessionId } from "../../src/server/domain/Principal.ts"
import * as Account from "../../src/tools/Account.ts"
import { request } from "../support/People.ts"

const userInfo = Effect.gen(function* () {
  const toolkit = yield* Account.toolkit
  const [answer] = yield* Stream.runCollect(yield* toolkit.handle("userInfo", {}))
  return answer?.encodedResult
})

const facts = {
  userId: "user_ada",
  email: "ada@example.com",
  firstName: "Ada",
  lastName: "Marlowe",
  imageUrl: "https://img.clerk.example/ada",
  role: "admin",
  metadata: { role: "admin", team: "engines" }
}

describe("userInfo", () => {
  it.effect("tells who is signed in, and nothing besides", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* userInfo, facts)
    }).pipe(Effect.provide(Layer.merge(Account.layer, request())))
  )

  it.effect("tells the session where it is known", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* userInfo, { ...facts, sessionId: "sess_1" })
    }).pipe(Effect.provide(Layer.merge(Account.layer, request({}, { clerkSessionId: ClerkSessionId.make("sess_1") }))))
  )

  it.effect("works for an account that has nothing but an id", () =>
    Effect.gen(function* () {
      const bare = { email: null, firstName: null, lastName: null, role: null, metadata: {} }
      assert.deepStrictEqual(yield* Effect.provide(userInfo, Layer.merge(Account.layer, request(bare))), {
        ...facts,
        ...bare
      })
    })
  )
})

describe("user://me", () => {
  it.effect("holds the same facts as JSON, read anew each time", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(JSON.parse(String(yield* Effect.provide(Account.me.read, request()))), facts)
      const renamed = yield* Effect.provide(Account.me.read, request({ firstName: "Augusta" }))
      assert.strictEqual((JSON.parse(String(renamed)) as typeof facts).firstName, "Augusta")
    })
  )
})

describe("introduceMe", () => {
  const text = (values: unknown, user: Parameters<typeof request>[0] = {}) =>
    Effect.provide(Effect.map(Account.introduceMe.content(values), String), request(user))

  it.effect("names the person, the role and the audience", () =>
    Effect.gen(function* () {
      const written = yield* text({ audience: "the board" })
      for (const part of ["Ada Marlowe", "whose role is admin", "the board"]) assert.include(written, part)
    })
  )

  it.effect("does without a name and a role", () =>
    Effect.gen(function* () {
      const written = yield* text({ audience: "the board" }, { firstName: null, lastName: null, role: null })
      assert.include(written, "the person I am signed in as")
      assert.notMatch(written, /null|undefined|role/u)
    })
  )

  it.effect("refuses arguments that are missing or too long", () =>
    Effect.gen(function* () {
      for (const values of [undefined, {}, { audience: 7 }, { audience: "x".repeat(201) }]) {
        assert.strictEqual((yield* Effect.flip(text(values)))._tag, "SchemaError")
      }
      // A character outside the basic plane counts as one.
      assert.include(yield* text({ audience: "😀".repeat(200) }), "😀")
    })
  )
})
