import * as Toolkit from "effect/ai/Toolkit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Offer, Settings, ToolCalls } from "../../src/server/index.ts"
import { make } from "../../src/server/Worker.ts"

class NoSettings extends Settings.make<NoSettings>()("test/NoSettings", Schema.Struct({})) {}

/** A server that offers nothing: what the library alone weighs. */
const server = make({
  name: "empty",
  title: "Empty",
  version: "0.0.0",
  scopes: {},
  settings: NoSettings,
  catalogue: Layer.merge(
    ToolCalls.layer(Toolkit.empty),
    Layer.succeed(Offer, { resources: [], templates: [], prompts: [] })
  )
})

export default server

export class AccountObject extends server.AccountObject {}
