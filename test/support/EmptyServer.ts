import * as Schema from "effect/Schema"

import { Catalogue, Settings } from "../../src/server/index.ts"
import { make } from "../../src/server/Worker.ts"

class NoSettings extends Settings.make<NoSettings>()("test/NoSettings", Schema.Struct({})) {}

/** A server that offers nothing: what the library alone weighs. */
const server = make({
  name: "empty",
  title: "Empty",
  version: "0.0.0",
  scopes: {},
  settings: NoSettings,
  catalogue: Catalogue.layer()
})

export default server

export class AccountObject extends server.AccountObject {}
