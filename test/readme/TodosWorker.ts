import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Offer, Settings, ToolCalls } from "../../src/server/index.ts"
import { make } from "../../src/server/Worker.ts"
import * as Todos from "./Todos.ts"

class NoSettings extends Settings.make<NoSettings>()("readme/NoSettings", Schema.Struct({})) {}

/** A server whose only tool is the one in the README that stores something. */
const server = make({
  name: "todos",
  title: "Todos",
  version: "1.0.0",
  scopes: {},
  settings: NoSettings,
  catalogue: ToolCalls.layer(Todos.toolkit).pipe(
    Layer.provide(Todos.layer),
    Layer.merge(Layer.succeed(Offer, { resources: [], templates: [], prompts: [] }))
  ),
  userStore: { valueBytes: 4_096 }
})

export default server

export class AccountObject extends server.AccountObject {}
