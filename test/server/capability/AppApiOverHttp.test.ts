import { assert, it } from "@effect/vitest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

import { readSettings } from "../../../examples/app-kit/src/Settings.ts"
import { ClerkSessionTokens } from "../../../src/server/access/ClerkSessionTokens.ts"
import { AppApi } from "../../../src/server/capability/AppApi.ts"
import { callTool } from "../../../src/server/testing/index.ts"
import * as PlaceOrder from "../../readme/PlaceOrder.ts"
import { placeOrderRoute } from "../../readme/PlaceOrderRoute.ts"
import { World } from "../../support/AppWorld.ts"
import { serve } from "../../support/FetchServer.ts"
import { clerkForApp } from "../../support/StandInApp.ts"

/** A shop that keeps to keys, and has so much of everything. */
const shopWith = (stock: number) => {
  const orders = new Map<string, { readonly id: string; readonly order: unknown }>()
  return {
    orders,
    place: async (userId: string, key: string, order: unknown) => {
      const known = orders.get(`${userId} ${key}`)
      if (known !== undefined) return { id: known.id }
      if (orders.size >= stock) return "sold out" as const
      const placed = { id: `o${orders.size + 1}`, order }
      orders.set(`${userId} ${key}`, placed)
      return { id: placed.id }
    }
  }
}

it.live("an app that keeps to the key carries out once what it is asked twice, because its answer was lost", () =>
  Effect.gen(function* () {
    const { appUrl, clerk, port, settings, templateToken } = yield* clerkForApp()
    const shop = shopWith(2)
    const route = placeOrderRoute(readSettings(settings), shop)
    const keys: Array<string | null> = []
    let losing = 0
    yield* serve(port, async (request) => {
      keys.push(request.headers.get("idempotency-key"))
      const answer = await route(request)
      return losing-- > 0 ? Response.error() : answer
    })

    const world = new World()
    const token = Redacted.make(yield* templateToken("member@example.com"))
    const tokens = Layer.succeed(ClerkSessionTokens, {
      alive: () => Effect.void,
      current: () => Effect.succeed(token),
      renewed: () => Effect.succeed(token)
    })
    const app = AppApi.layerNoDeps(new URL(appUrl)).pipe(
      Layer.provide([tokens, world.connections, FetchHttpClient.layer, SecureRandom.layerWebCrypto])
    )
    const call = callTool(PlaceOrder.toolkit, Layer.provide(PlaceOrder.layer, app))
    const as = { scopes: ["app:write"], clerkSessionId: "sess_1" }
    const order = call("placeOrder", { item: "tea", count: 2 }, { as })

    yield* Effect.gen(function* () {
      losing = 2
      assert.deepEqual(yield* order, { id: "o1" })
      assert.strictEqual(losing, -1)
      assert.lengthOf(keys, 3)
      assert.lengthOf(new Set(keys), 1)
      assert.deepEqual([...shop.orders.keys()], [`${clerk.users.member.id} ${keys[0]}`])
      assert.deepEqual([...shop.orders.values()], [{ id: "o1", order: { item: "tea", count: 2 } }])

      // The same once more is another order.
      assert.deepEqual(yield* order, { id: "o2" })
      assert.strictEqual((yield* Effect.flip(order))._tag, "SoldOut")
      assert.lengthOf(new Set(keys), 3)
    }).pipe(Effect.provide(world.logger))
    assert.notInclude(world.log.join("\n"), "tea")
  }).pipe(Effect.scoped)
)
