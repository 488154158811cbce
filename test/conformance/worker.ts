import * as Toolkit from "effect/ai/Toolkit"
import * as Layer from "effect/Layer"
import { env, waitUntil } from "cloudflare:workers"

import { AccountObject } from "../../src/server/agent/AccountAgent.ts"
import * as App from "../../src/server/Server.ts"
import { Offer } from "../../src/server/mcp/ServerFactory.ts"
import { ToolCalls } from "../../src/server/mcp/ToolCalls.ts"
import * as ContentTools from "./fixtures/ContentTools.ts"
import { offer } from "./fixtures/Offer.ts"
import * as QuestionTools from "./fixtures/QuestionTools.ts"
import * as SessionTools from "./fixtures/SessionTools.ts"

/** The Worker as it ships, but for its catalogue: what the official conformance suite looks for. */
const catalogue = ToolCalls.layer(
  Toolkit.merge(ContentTools.toolkit, QuestionTools.toolkit, SessionTools.toolkit)
).pipe(
  Layer.provide(Layer.mergeAll(ContentTools.layer, QuestionTools.layer, SessionTools.layer)),
  Layer.merge(Layer.succeed(Offer, offer))
)

const fetch = App.handler({ ...env }, waitUntil, catalogue)

export default { fetch } satisfies ExportedHandler

/** The sessions of the same catalogue. */
export class AccountAgent extends AccountObject {
  constructor(ctx: DurableObjectState, env: Readonly<Record<string, unknown>>) {
    super(ctx, env, App.account(env, catalogue))
  }
}
