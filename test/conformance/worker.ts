import * as Toolkit from "effect/ai/Toolkit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Offer, Settings, ToolCalls } from "../../src/server/index.ts"
import { make } from "../../src/server/Worker.ts"
import * as ContentTools from "./fixtures/ContentTools.ts"
import { offer } from "./fixtures/Offer.ts"
import * as QuestionTools from "./fixtures/QuestionTools.ts"
import * as SessionTools from "./fixtures/SessionTools.ts"

class NoSettings extends Settings.make<NoSettings>()("conformance/NoSettings", Schema.Struct({})) {}

/** A server whose catalogue is what the official conformance suite looks for. */
const server = make({
  name: "conformance",
  title: "Conformance",
  version: "1.0.0",
  scopes: {},
  settings: NoSettings,
  catalogue: ToolCalls.layer(Toolkit.merge(ContentTools.toolkit, QuestionTools.toolkit, SessionTools.toolkit)).pipe(
    Layer.provide(Layer.mergeAll(ContentTools.layer, QuestionTools.layer, SessionTools.layer)),
    Layer.merge(Layer.succeed(Offer, offer))
  )
})

export default server

export class AccountObject extends server.AccountObject {}
