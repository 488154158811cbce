import { env, waitUntil } from "cloudflare:workers"

import { AccountObject } from "./agent/AccountAgent.ts"
import { account, define, handler, type ServerDefinition } from "./Server.ts"

/**
 * A server as Cloudflare runs it: the default export of the Worker's entry. The entry also exports the class of the
 * Durable Object that `wrangler.jsonc` names, which extends `AccountObject`:
 *
 *     const server = make({ ... })
 *     export default server
 *     export class AccountAgent extends server.AccountObject {}
 */
export const make = <Own, A>(definition: ServerDefinition<Own, A>) => {
  const server = define(definition)
  return {
    server,
    // Built at module scope: what is built inside a request captures that request.
    fetch: handler(server, { ...env }, waitUntil),
    AccountObject: class extends AccountObject {
      constructor(ctx: DurableObjectState, env: Readonly<Record<string, unknown>>) {
        super(ctx, env, account(server, env))
      }
    }
  }
}
