import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { Catalogue, Policy, PromptTemplate, Resource, UserStoreError } from "../../src/server/index.ts"
import { make } from "../../src/server/Worker.ts"
import * as Todos from "./Todos.ts"

const mine = Effect.map(
  Todos.Todos.get,
  Option.getOrElse((): ReadonlyArray<string> => [])
)

const list = Resource.make({
  uri: "todos://mine",
  name: "todos",
  title: "Todos",
  description: "The list.",
  policy: Policy.signedIn,
  schema: Schema.Array(Schema.String),
  failure: UserStoreError,
  content: mine
})

const plan = PromptTemplate.make({
  name: "plan",
  title: "Plan",
  description: "Plan the day.",
  policy: Policy.signedIn,
  arguments: Schema.Struct({}),
  failure: UserStoreError,
  content: () => Effect.map(mine, (todos) => `Plan a day with ${todos.length} things to do.`)
})

/** A server whose only tools are those in the README that store something. */
const server = make({
  name: "todos",
  title: "Todos",
  version: "1.0.0",
  scopes: {},
  catalogue: Catalogue.layer(Catalogue.tools(Todos.toolkit, Todos.layer), list, plan),
  userStore: { valueBytes: 4_096 }
})

export default server

export class AccountObject extends server.AccountObject {}
