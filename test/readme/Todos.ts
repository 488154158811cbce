import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { CurrentPrincipal, Elicitation, Policy, UserStore, UserStoreError } from "../../src/server/index.ts"

export const Todos = UserStore.entry("todos", Schema.Array(Schema.String))

const AddTodo = Tool.make("addTodo", {
  description: "Put something on the user’s list of things to do.",
  parameters: Schema.Struct({
    text: Schema.String.check(Schema.isMaxCodePoints(500)).annotate({ description: "What to do" })
  }),
  success: Schema.Struct({ todos: Schema.Array(Schema.String) }),
  failure: UserStoreError,
  dependencies: [UserStore, CurrentPrincipal]
}).annotate(Policy.Required, Policy.signedIn)

const ClearTodos = Tool.make("clearTodos", {
  description: "Delete the user’s whole list of things to do, once the user agrees.",
  parameters: Schema.Struct({
    agreed: Schema.optionalKey(Schema.Boolean).annotate({ description: "Whether the user said so in the conversation" })
  }),
  success: Schema.Struct({ cleared: Schema.Boolean, hint: Schema.optionalKey(Schema.String) }),
  failure: UserStoreError,
  dependencies: [UserStore, CurrentPrincipal, Elicitation]
}).annotate(Policy.Required, Policy.signedIn)

export const toolkit = Toolkit.make(AddTodo, ClearTodos)

const question = { message: "Delete the whole list?", schema: Schema.Struct({ delete: Schema.Boolean }) }

export const layer = toolkit.toLayer({
  addTodo: ({ text }) =>
    Todos.modify((current) => {
      const todos = [...Option.getOrElse(current, () => []), text]
      return [{ todos }, todos]
    }),

  clearTodos: Effect.fnUntraced(function* ({ agreed = false }) {
    if (yield* Elicitation.supports("Form")) {
      const answer = yield* Elicitation.form("delete", question)
      if (answer._tag !== "Accepted" || !answer.value.delete) return { cleared: false }
    } else if (!agreed) {
      return { cleared: false, hint: "Ask the user, then call again with agreed: true." }
    }
    yield* Todos.remove
    return { cleared: true }
  })
})
