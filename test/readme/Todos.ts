import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { CurrentPrincipal, Policy, UserStore, UserStoreError } from "../../src/server/index.ts"

const Todos = UserStore.entry("todos", Schema.Array(Schema.String))

const AddTodo = Tool.make("addTodo", {
  description: "Put something on the user’s own list of things to do.",
  parameters: Schema.Struct({ text: Schema.String.check(Schema.isMaxCodePoints(500)) }),
  success: Schema.Struct({ todos: Schema.Array(Schema.String) }),
  failure: UserStoreError,
  dependencies: [UserStore, CurrentPrincipal]
}).annotate(Policy.Required, Policy.signedIn)

export const toolkit = Toolkit.make(AddTodo)

export const layer = toolkit.toLayer({
  addTodo: ({ text }) =>
    Todos.modify((current) => {
      const todos = [...Option.getOrElse(current, () => []), text]
      return [{ todos }, todos]
    })
})
