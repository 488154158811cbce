import { env, waitUntil } from "cloudflare:workers"

import { AccountObject } from "./server/agent/AccountAgent.ts"
import * as App from "./server/Server.ts"

// Built at module scope: what is built inside a request captures that request.
const fetch = App.handler({ ...env }, waitUntil)

export default { fetch } satisfies ExportedHandler

/** The Durable Object class that `wrangler.jsonc` names. */
export class AccountAgent extends AccountObject {
  constructor(ctx: DurableObjectState, env: Readonly<Record<string, unknown>>) {
    super(ctx, env, App.account(env))
  }
}
