import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { count, type Limit, without } from "../../../src/server/capability/CallLimit.ts"
import { CallLimit, Catalogue, Elicitation, Policy } from "../../../src/server/index.ts"
import { testServer } from "../../../src/server/testing/index.ts"

const limits = Schema.Struct({
  calls: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })),
  seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))
})
const pauses = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3_000 }))).check(
  Schema.isMaxLength(30)
)

describe("the count of calls", () => {
  it.prop(
    "lets no more through in any period, and says to the second when there is room again",
    [limits, pauses],
    ([limit, gaps]) => {
      const { calls, seconds } = limit
      const taken: Array<number> = []
      let [now, times]: [number, ReadonlyArray<number>] = [1_000_000, []]
      for (const gap of gaps) {
        now += gap
        const { counted, times: next } = count(times, now, limit)
        if (counted._tag === "Taken") taken.push(now)
        else {
          assert.isAbove(counted.seconds, 0)
          assert.isAtMost(counted.seconds, seconds)
          const later = (wait: number) => count(times, now + wait * 1_000, limit).counted._tag
          assert.deepStrictEqual([later(counted.seconds), later(counted.seconds - 1)], ["Taken", "Refused"])
        }
        times = next
        assert.isAtMost(times.length, calls)
      }
      for (const [index, at] of taken.entries()) {
        const earlier = taken[index - calls]
        if (earlier !== undefined) assert.isAtLeast(at - earlier, seconds * 1_000)
      }
    }
  )

  it("goes on with a limit that was lowered, and takes one call off it", () => {
    const lowered: Limit = { calls: 1, seconds: 10 }
    assert.deepStrictEqual(count([1_000, 2_000, 3_000], 4_000, lowered).counted, { _tag: "Refused", seconds: 9 })
    assert.deepStrictEqual(without([1, 2, 2, 3], 2), [1, 2, 3])
    assert.deepStrictEqual(without([1], 2), [1])
  })
})

const success = Schema.Struct({})
const Draw = Tool.make("draw", { parameters: Schema.Struct({ steps: Schema.Int }), success })
  .annotate(Policy.Required, Policy.scopes("draw"))
  .annotate(CallLimit, { calls: 2, seconds: 60 })
const Drop = Tool.make("drop", { success: Schema.Struct({ dropped: Schema.Boolean }), dependencies: [Elicitation] })
  .annotate(Policy.Required, Policy.signedIn)
  .annotate(CallLimit, { calls: 1, seconds: 30 })
const Free = Tool.make("free", { success }).annotate(Policy.Required, Policy.signedIn)
const toolkit = Toolkit.make(Draw, Drop, Free)

const handlers = toolkit.toLayer({
  draw: () => Effect.succeed({}),
  drop: Effect.fnUntraced(function* () {
    for (const key of ["sure", "really"]) {
      const answer = yield* Elicitation.form(key, { message: key, schema: Schema.Struct({ drop: Schema.Boolean }) })
      if (answer._tag !== "Accepted" || !answer.value.drop) return { dropped: false }
    }
    return { dropped: true }
  }),
  free: () => Effect.succeed({})
})

const serve = () =>
  testServer(
    { scopes: { draw: "Draw" }, catalogue: Catalogue.layer(Catalogue.tools(toolkit, handlers)) },
    { users: [{ id: "user_ada" }, { id: "user_mina" }] }
  )

type Client = Awaited<ReturnType<ReturnType<typeof serve>["connect"]>>

/** What the model is told of a call that is refused; nothing of one that is not. */
const called = async (client: Client, name: string, args: Record<string, unknown> = {}) => {
  const { isError, content } = await client.callTool({ name, arguments: args })
  const [said] = content
  return isError === true && said?.type === "text" ? said.text.replace(/ Reference \w+$/u, "") : undefined
}

const tooOften = (wait: number) =>
  `This tool may be called 2 times in 60 seconds. Wait ${wait} seconds, then call it again.`

describe("a tool that may be called so often", () => {
  it("is refused then, for that user and that tool only, until the time that was named has passed", async () => {
    const server = serve()
    const scopes = ["draw"]
    const [one, other] = [
      await server.connect({ id: "user_ada" }, { scopes }),
      await server.connect({ id: "user_ada" }, { scopes })
    ]
    assert.isUndefined(await called(one, "draw", { steps: 1 }))
    server.wait(20)
    assert.isUndefined(await called(other, "draw", { steps: 1 }))
    assert.strictEqual(await called(one, "draw", { steps: 1 }), tooOften(40))
    assert.strictEqual(await called(other, "draw", { steps: 1 }), tooOften(40))
    assert.isUndefined(await called(one, "free"))
    const mina = await server.connect({ id: "user_mina" }, { scopes })
    assert.isUndefined(await called(mina, "draw", { steps: 1 }))
    server.wait(40)
    assert.isUndefined(await called(one, "draw", { steps: 1 }))
    assert.match(String(await called(one, "draw", { steps: 1 })), /Wait (?:19|20) seconds/u)
  })

  it("counts no call that its policy or its parameters refuse", async () => {
    const server = serve()
    const client = await server.connect({ id: "user_ada" }, { scopes: ["draw"] })
    for (let times = 0; times < 3; times++) {
      assert.match(String(await called(client, "draw", { steps: "many" })), /^Wrong arguments/u)
    }
    for (let times = 0; times < 2; times++) assert.isUndefined(await called(client, "draw", { steps: 1 }))
  })

  it("counts a call that asks the person once, when nothing is left to ask", async () => {
    const server = serve()
    const asked: Array<string> = []
    const client = await server.connect(
      { id: "user_ada" },
      {
        onElicitation: ({ message }) => {
          asked.push(message)
          return { action: "accept", content: { drop: true } }
        }
      }
    )
    assert.isUndefined(await called(client, "drop"))
    assert.deepStrictEqual(asked, ["sure", "really"])
    assert.match(
      String(await called(client, "drop")),
      /^This tool may be called 1 time in 30 seconds\. Wait \d+ seconds/u
    )
    assert.lengthOf(asked, 2)
    server.wait(30)
    assert.isUndefined(await called(client, "drop"))
  })

  it("is refused while calls cannot be counted, and other tools are not", async () => {
    const server = serve()
    const client = await server.connect({ id: "user_ada" }, { scopes: ["draw"] })
    server.accounts.failing = "takeCall"
    server.accounts.failures = 1
    assert.strictEqual(
      await called(client, "draw", { steps: 1 }),
      "This tool cannot be called right now. Try again in a moment."
    )
    server.accounts.failures = 1
    assert.isUndefined(await called(client, "free"))
  })

  it("cannot have a limit that cannot be kept", async () => {
    for (const limit of [
      { calls: 0, seconds: 60 },
      { calls: 1_001, seconds: 60 },
      { calls: 1, seconds: 0 },
      { calls: 1, seconds: 86_401 },
      { calls: 1.5, seconds: 60 }
    ]) {
      const one = Toolkit.make(Free.annotate(CallLimit, limit))
      const parts = Catalogue.tools(one, one.toLayer({ free: () => Effect.succeed({}) }))
      const { handler } = testServer({ catalogue: Catalogue.layer(parts) })
      const page = await handler(new Request("https://mcp.example.com/health"))
      assert.strictEqual(page.status, 500)
      assert.include(await page.text(), "The CallLimit of the tool free cannot be kept")
    }
  })
})
