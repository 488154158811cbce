import { Catalogue } from "../../src/server/index.ts"
import { make } from "../../src/server/Worker.ts"
import * as Content from "./fixtures/Content.ts"
import * as ContentTools from "./fixtures/ContentTools.ts"
import * as QuestionTools from "./fixtures/QuestionTools.ts"
import * as SessionTools from "./fixtures/SessionTools.ts"

/** A server whose catalogue is what the official conformance suite looks for. */
const server = make({
  name: "conformance",
  title: "Conformance",
  version: "1.0.0",
  scopes: {},
  catalogue: Catalogue.layer(
    Catalogue.tools(ContentTools.toolkit, ContentTools.layer),
    Catalogue.tools(QuestionTools.toolkit, QuestionTools.layer),
    Catalogue.tools(SessionTools.toolkit, SessionTools.layer),
    ...Content.parts
  )
})

export default server

export class AccountObject extends server.AccountObject {}
