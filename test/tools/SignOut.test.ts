import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { ClientId, GrantId, UserGrants, UserId } from "../../src/server/index.ts"
import { callTool, Recorder, Replies, type TestCaller } from "../../src/server/testing/index.ts"
import * as SignOut from "../../src/tools/SignOut.ts"

const caller: TestCaller = { id: "user_one", grantId: "grantOne", scopes: ["connections:manage"] }
const yes = { confirm: Replies.accept({ signOut: true }) }

/** `signOutEverywhere` for somebody with these connections, and what is left of them. */
const connected = (...ids: ReadonlyArray<string>) => {
  const left = new Set(ids.map((id) => GrantId.make(id)))
  const grants = Layer.succeed(UserGrants, {
    list: () => Effect.sync(() => [...left].map((id) => ({ id, clientId: ClientId.make(`client of ${id}`) }))),
    end: (userId, id) => {
      assert.strictEqual(userId, UserId.make("user_one"))
      return Effect.sync(() => void left.delete(id))
    }
  })
  return { call: callTool(SignOut.toolkit, Layer.provide(SignOut.layer, grants)), left }
}

describe("signOutEverywhere", () => {
  it.effect("asks, and then signs out every connection but the one that asks", () => {
    const { call, left } = connected("grantOne", "grantTwo", "grantThree")
    const recorder = new Recorder()
    return Effect.gen(function* () {
      const result = yield* call("signOutEverywhere", {}, { as: caller, answers: yes, recorder })
      assert.deepStrictEqual(result, { signedOut: 2, confirmed: true })
      assert.deepEqual([...left], ["grantOne"])
      const [question] = recorder.questions
      assert.deepInclude(question?.request, { _tag: "Form", message: "Sign out 2 other connections?" })
      assert.deepEqual(
        recorder.log.map(({ level, data }) => [level, data]),
        [
          ["notice", "Signed out client of grantTwo"],
          ["notice", "Signed out client of grantThree"]
        ]
      )
    })
  })

  for (const [what, confirm] of [
    ["says no", Replies.decline],
    ["closes the form", Replies.cancel],
    ["leaves the box empty", Replies.accept({ signOut: false })]
  ] as const) {
    it.effect(`does nothing where the person ${what}`, () => {
      const { call, left } = connected("grantOne", "grantTwo")
      return Effect.gen(function* () {
        const result = yield* call("signOutEverywhere", {}, { as: caller, answers: { confirm } })
        assert.deepStrictEqual(result, { signedOut: 0, confirmed: false })
        assert.strictEqual(left.size, 2)
      })
    })
  }

  it.effect("does nothing for a client that cannot be asked", () => {
    const { call, left } = connected("grantOne", "grantTwo")
    return Effect.gen(function* () {
      const error = yield* Effect.flip(call("signOutEverywhere", {}, { as: caller }))
      assert.strictEqual(error._tag, "CannotBeAsked")
      assert.strictEqual(left.size, 2)
    })
  })

  it.effect("asks nothing where there is nothing to sign out", () =>
    Effect.gen(function* () {
      const { call } = connected("grantOne")
      assert.deepStrictEqual(yield* call("signOutEverywhere", {}, { as: caller }), { signedOut: 0, confirmed: true })
    })
  )

  it.effect("needs its scope", () => {
    const { call, left } = connected("grantOne", "grantTwo")
    return Effect.gen(function* () {
      const error = yield* Effect.flip(call("signOutEverywhere", {}, { as: { ...caller, scopes: [] }, answers: yes }))
      assert.deepInclude(Object.assign({}, error), { _tag: "NotPermitted", lacking: "scope" })
      assert.strictEqual(left.size, 2)
    })
  })
})
