import { assert, describe, it } from "@effect/vitest"
import * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"

import {
  ClientLog,
  CurrentPrincipal,
  CurrentUser,
  Elicitation,
  Policy,
  Progress,
  ResultLimit
} from "../../../src/server/index.ts"
import { callTool, Recorder, Replies } from "../../../src/server/testing/index.ts"

class Prices extends Context.Service<Prices, { readonly of: (item: string) => Effect.Effect<number> }>()(
  "test/Prices"
) {}

class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { item: Schema.String }) {}

const Amount = Schema.Struct({ amount: Schema.Int })

const Buy = Tool.make("buy", {
  parameters: Schema.Struct({
    item: Schema.String,
    count: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
  }),
  success: Schema.Struct({ price: Schema.FiniteFromString, buyer: Schema.String }),
  failure: SoldOut,
  dependencies: [CurrentUser],
  toModelOutput: ({ price }) => [Prompt.textPart({ text: `That makes ${price}.` })]
}).annotate(Policy.Required, Policy.all(Policy.roles("buyer"), Policy.scopes("shop:buy")))

const Return = Tool.make("return", {
  success: Schema.Struct({}),
  failure: SoldOut,
  failureMode: "return"
}).annotate(Policy.Required, Policy.permission("org:shop:return"))

const Order = Tool.make("order", {
  success: Schema.Struct({ said: Schema.String }),
  dependencies: [Elicitation, CurrentPrincipal]
})
  .annotate(Policy.Required, Policy.signedIn)
  .annotate(ResultLimit, { maxBytes: 1 })

const Broken = Tool.make("broken", { success: Schema.Struct({}) }).annotate(Policy.Required, Policy.signedIn)
const Unannounced = Tool.make("unannounced", { success: Schema.Struct({}) })

const toolkit = Toolkit.make(Buy, Return, Order, Broken, Unannounced)

const layer = toolkit.toLayer(
  Effect.map(Prices, (prices) => ({
    buy: Effect.fnUntraced(function* ({ item, count }) {
      const report = yield* Progress
      yield* report({ progress: 1, message: "looking" })
      const price = yield* prices.of(item)
      if (price === 0) return yield* new SoldOut({ item })
      const { email } = yield* CurrentUser
      return { price: price * count, buyer: email ?? "" }
    }),
    return: () => Effect.fail(new SoldOut({ item: "returned" })),
    order: Effect.fnUntraced(function* () {
      const log = yield* ClientLog
      if (!(yield* Elicitation.supports("Sampling"))) return { said: "nobody to ask" }
      yield* log({ level: "info", data: "asking" })
      const first = yield* Elicitation.form("first", { message: "How many?", schema: Amount })
      if (first._tag !== "Accepted") return { said: first._tag }
      const second = yield* Elicitation.form("second", { message: "Sure?", schema: Amount })
      const { clientId } = yield* CurrentPrincipal
      return { said: `${first.value.amount} ${second._tag} ${clientId}` }
    }),
    broken: () => Effect.die(new Error("a fault of the tool's own")),
    unannounced: () => Effect.succeed({})
  }))
)

const call = callTool(toolkit, Layer.provide(layer, Layer.succeed(Prices, { of: () => Effect.succeed(7) })))
const buyer = { role: "buyer", scopes: ["shop:buy"] }

describe("callTool", () => {
  it.effect("answers with the result as a client gets it, and records what the model reads", () => {
    const recorder = new Recorder()
    return Effect.gen(function* () {
      const bought = yield* call("buy", { item: "tea", count: 2 }, { as: buyer, recorder })
      const price: string = bought.price
      assert.strictEqual(price, "14")
      assert.strictEqual(bought.buyer, "ada@example.com")
      assert.deepStrictEqual(recorder.content, [{ type: "text", text: "That makes 14." }])
      assert.deepStrictEqual(recorder.progress, [{ progress: 1, message: "looking" }])
      assert.strictEqual((yield* call("buy", { item: "tea" }, { as: buyer })).price, "7")
    })
  })

  it.effect("knows the tool's names, arguments and failures by their types", () =>
    Effect.gen(function* () {
      const none = callTool(toolkit, Layer.provide(layer, Layer.succeed(Prices, { of: () => Effect.succeed(0) })))
      const failed = yield* none("buy", { item: "tea" }, { as: buyer }).pipe(
        Effect.as("sold"),
        Effect.catchTag("SoldOut", ({ item }) => Effect.succeed(`no ${item}`))
      )
      assert.strictEqual(failed, "no tea")
      const returner = { organizations: [{ permissions: ["org:shop:return"] }] }
      assert.strictEqual((yield* Effect.flip(call("return", {}, { as: returner })))._tag, "SoldOut")
      // @ts-expect-error there is no such tool
      assert.isTrue(Exit.isFailure(yield* Effect.exit(call("sell", {}))))
      // @ts-expect-error the item is missing
      const error = yield* Effect.flip(call("buy", { count: 1, colour: "red" }, { as: buyer }))
      assert.strictEqual(error._tag, "InvalidArguments")
      for (const name of ["item", "colour"]) assert.include(error.message, `"${name}"`)
    })
  )

  it.effect("applies the tool's policy, which denies by default, before the tool runs", () =>
    Effect.gen(function* () {
      const refused = (as: object, name: "buy" | "return" | "unannounced" = "buy") =>
        Effect.map(Effect.flip(call(name, { item: "tea" }, { as })), (error) =>
          error._tag === "NotPermitted" ? [error.lacking, ...error.needs] : error._tag
        )
      assert.deepEqual(yield* refused({ ...buyer, role: "guest" }), ["role", "role buyer"])
      assert.deepEqual(yield* refused({ ...buyer, scopes: [] }), ["scope", "mcp:tools", "shop:buy"])
      assert.deepEqual(yield* refused(buyer, "return"), [
        "permission",
        "permission org:shop:return in your organization"
      ])
      const elsewhere = { organizations: [{}, { id: "org_2", permissions: ["org:shop:return"] }] }
      assert.deepEqual(yield* refused(elsewhere, "return"), [
        "permission",
        "permission org:shop:return in your organization"
      ])
      const there = { ...elsewhere, organization: "org_2" }
      assert.strictEqual((yield* Effect.flip(call("return", {}, { as: there })))._tag, "SoldOut")
      assert.deepEqual(yield* refused({ ...elsewhere, organization: null }, "return"), [
        "permission",
        "permission org:shop:return in your organization"
      ])
      const stranger = call("return", {}, { as: { ...elsewhere, organization: "org_9" } })
      assert.include(String(yield* Effect.exit(stranger)), "the caller is not in the organization named")
      assert.deepEqual(yield* refused(buyer, "unannounced"), ["permission"])
    })
  )

  it.effect("plays the person: each answer runs the tool again from its start", () => {
    const recorder = new Recorder()
    const answers = { first: Replies.accept({ amount: 3 }), second: Replies.decline }
    return Effect.gen(function* () {
      const { said } = yield* call("order", {}, { answers, recorder, as: { clientId: "a client" } })
      assert.strictEqual(said, "3 Declined a client")
      assert.deepEqual(
        recorder.questions.map(({ key, request }) => [key, request._tag]),
        [
          ["first", "Form"],
          ["second", "Form"]
        ]
      )
      assert.lengthOf(recorder.log, 3)
      const closed = yield* call("order", {}, { answers: { first: Replies.cancel } })
      assert.strictEqual(closed.said, "Cancelled")
    })
  })

  it.effect("does not limit the size of a result", () =>
    Effect.gen(function* () {
      assert.isAbove((yield* call("order", {})).said.length, 1)
    })
  )

  it.effect("plays a client that cannot be asked, or not everything", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* call("order", {})).said, "nobody to ask")
      const error = yield* Effect.flip(call("order", {}, { supports: ["Sampling"] }))
      assert.strictEqual(error._tag, "CannotBeAsked")
    })
  )

  const defects = {
    "has no answer": call("order", {}, { answers: {} }),
    "does not fit": call("order", {}, { answers: { first: Replies.accept({ amount: "three" }) } }),
    "a fault of the tool's own": call("broken", {})
  }
  for (const [words, broken] of Object.entries(defects)) {
    it.effect(`dies of a script or a tool that is wrong: ${words}`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(broken)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.include(String(exit), words)
      })
    )
  }

  it.effect("leaves open what the layer leaves open, so that calls can share it", () =>
    Effect.gen(function* () {
      const asked = yield* Ref.make(0)
      const counting = Layer.succeed(Prices, { of: () => Ref.updateAndGet(asked, (count) => count + 1) })
      const twice = Effect.gen(function* () {
        const shared = callTool(toolkit, layer)
        yield* shared("buy", { item: "tea" }, { as: buyer })
        return (yield* shared("buy", { item: "tea" }, { as: buyer })).price
      })
      assert.strictEqual(yield* Effect.provide(twice, counting), "2")
    })
  )
})
