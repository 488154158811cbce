import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { Catalogue, Elicitation, UserStore } from "../../src/server/index.ts"
import { called } from "../support/Called.ts"
import { request } from "../support/People.ts"
import * as Todos from "./Todos.ts"

const tools = Catalogue.layer(Catalogue.tools(Todos.toolkit, Todos.layer)).pipe(
  Layer.provide(UserStore.layerMemory),
  Layer.merge(request())
)

const call = (name: string, args: object = {}) =>
  Effect.gen(function* () {
    const { isError, structuredContent } = yield* called(name, args)
    assert.isNotOk(isError)
    return structuredContent
  })

/** A person who answers the question of `clearTodos`. */
const answering = (reply: unknown) =>
  Elicitation.of({
    supports: (kind) => kind === "Form",
    reply: (key) => (key === "delete" ? reply : undefined),
    suspend: () => Effect.die("asked something else")
  })

describe("the README's tools that store something", () => {
  it.effect("keep a list", () =>
    Effect.gen(function* () {
      yield* call("addTodo", { text: "one" })
      assert.deepEqual(yield* call("addTodo", { text: "two" }), { todos: ["one", "two"] })
    }).pipe(Effect.provide(tools))
  )

  it.effect("ask the person before they delete it, where the client can be asked", () =>
    Effect.gen(function* () {
      yield* call("addTodo", { text: "one" })
      for (const [reply, cleared, left] of [
        [{ action: "decline" }, false, 2],
        [{ action: "accept", content: { delete: false } }, false, 3],
        [{ action: "accept", content: { delete: true } }, true, 1]
      ] as const) {
        // What the model says does not count beside the person's own word.
        const answer = call("clearTodos", { agreed: !cleared })
        assert.deepEqual(yield* Effect.provideService(answer, Elicitation, answering(reply)), { cleared })
        const { todos } = (yield* call("addTodo", { text: "more" })) as { readonly todos: ReadonlyArray<string> }
        assert.lengthOf(todos, left)
      }
    }).pipe(Effect.provide(tools))
  )

  it.effect("offer another way where it cannot", () =>
    Effect.gen(function* () {
      yield* call("addTodo", { text: "one" })
      for (const args of [{}, { agreed: false }]) {
        assert.deepEqual(yield* call("clearTodos", args), {
          cleared: false,
          hint: "Ask the user, then call again with agreed: true."
        })
      }
      assert.deepEqual(yield* call("addTodo", { text: "two" }), { todos: ["one", "two"] })
      assert.deepEqual(yield* call("clearTodos", { agreed: true }), { cleared: true })
      assert.deepEqual(yield* call("addTodo", { text: "three" }), { todos: ["three"] })
    }).pipe(Effect.provide(tools))
  )
})
