import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"

import { ClientId, GrantId, UserId } from "../../src/server/domain/Principal.ts"
import { Catalogue } from "../../src/server/mcp/Catalogue.ts"
import { UserGrants } from "../../src/server/capability/UserGrants.ts"
import * as SignOut from "../../src/tools/SignOut.ts"
import { principal, protocol, send } from "../support/Protocol.ts"

const grants = (...ids: ReadonlyArray<string>) =>
  ids.map((id) => ({ id: GrantId.make(id), clientId: ClientId.make(`client of ${id}`) }))

/** `signOutEverywhere` for somebody with these connections, who calls through `grantOne`. */
const connected = (...ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const left = yield* Ref.make(grants(...ids))
    const layer = protocol(
      Catalogue.layer(Catalogue.tools(SignOut.toolkit, SignOut.layer)).pipe(
        Layer.provide(
          Layer.succeed(UserGrants, {
            list: () => Ref.get(left),
            end: (userId, id) => {
              assert.strictEqual(userId, UserId.make("user_one"))
              return Ref.update(left, (connections) => connections.filter((connection) => connection.id !== id))
            }
          })
        )
      )
    )
    const call = (more: object = {}, scopes?: ReadonlyArray<string>) =>
      send(
        "tools/call",
        { name: "signOutEverywhere", arguments: {}, ...more },
        scopes === undefined ? {} : { as: principal({ scopes }) }
      )
    return { layer, call, left: Effect.map(Ref.get(left), (connections) => connections.map(({ id }) => id as string)) }
  })

describe("signOutEverywhere", () => {
  it.effect("asks, and then signs out every connection but the one that asks", () =>
    Effect.gen(function* () {
      const { layer, call, left } = yield* connected("grantOne", "grantTwo", "grantThree")
      yield* Effect.gen(function* () {
        const { inputRequests, requestState } = (yield* call()).result
        assert.strictEqual(inputRequests.confirm.params.message, "Sign out 2 other connections?")
        assert.lengthOf(yield* left, 3)
        const confirm = { action: "accept", content: { signOut: true } }
        const { result } = yield* call({ inputResponses: { confirm }, requestState })
        assert.deepEqual(result.structuredContent, { signedOut: 2, confirmed: true })
        assert.deepEqual(yield* left, ["grantOne"])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("does nothing without a yes", () =>
    Effect.gen(function* () {
      const { layer, call, left } = yield* connected("grantOne", "grantTwo")
      yield* Effect.gen(function* () {
        const { requestState } = (yield* call()).result
        for (const confirm of [
          { action: "decline" },
          { action: "cancel" },
          { action: "accept", content: { signOut: false } }
        ]) {
          const { result } = yield* call({ inputResponses: { confirm }, requestState })
          assert.deepEqual(result.structuredContent, { signedOut: 0, confirmed: false })
        }
        assert.lengthOf(yield* left, 2)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("asks nothing where there is nothing to sign out", () =>
    Effect.gen(function* () {
      const { layer, call } = yield* connected("grantOne")
      const { result } = yield* Effect.provide(call(), layer)
      assert.deepEqual(result.structuredContent, { signedOut: 0, confirmed: true })
    })
  )

  it.effect("needs its scope", () =>
    Effect.gen(function* () {
      const { layer, call, left } = yield* connected("grantOne", "grantTwo")
      assert.strictEqual((yield* Effect.provide(call({}, ["mcp:tools"]), layer)).status, 403)
      assert.lengthOf(yield* left, 2)
    })
  )
})
