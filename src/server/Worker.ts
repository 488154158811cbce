import { env, waitUntil } from "cloudflare:workers"

import { AccountObject } from "./account/AccountObject.ts"
import { account, define, handler, type Server, type ServerDefinition } from "./Server.ts"

type Env = Readonly<Record<string, unknown>>

/** What the entry of a Worker exports. */
interface WorkerModule {
  /** The server without a host, for tests. */
  readonly server: Server
  readonly fetch: (request: Request) => Promise<Response>
  /** The object of a user, which holds what is the user's: sessions and their streams. */
  readonly AccountObject: new (ctx: DurableObjectState, env: Env) => AccountObject
}

/**
 * A server as Cloudflare runs it: the default export of the Worker's entry. The entry also exports the class of the
 * Durable Object that `wrangler.jsonc` names, which extends `AccountObject`:
 *
 *     const server = make({ ... })
 *     export default server
 *     export class AccountObject extends server.AccountObject {}
 */
export const make = <Settings extends ReadonlyArray<unknown> = []>(
  definition: ServerDefinition<Settings>
): WorkerModule => {
  const server = define(definition)
  return {
    server,
    // Built at module scope: what is built inside a request captures that request.
    fetch: handler(server, { ...env }, waitUntil),
    AccountObject: class extends AccountObject {
      constructor(ctx: DurableObjectState, env: Env) {
        super(ctx, env, (user) => account(server, env, user, waitUntil))
      }
    }
  }
}
