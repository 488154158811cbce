import { env, waitUntil } from "cloudflare:workers"

import { AccountObject as Base } from "../../../src/server/account/AccountObject.ts"
import * as App from "../../../src/server/Server.ts"
import sample from "../../../src/worker.ts"

/** What became of the calls to the model. */
export interface ModelCalls {
  readonly started: number
  readonly aborted: number
  readonly answered: number
}

const calls = { started: 0, aborted: 0, answered: 0 }

/** A Workers AI binding whose model takes longer than any test, unless its caller gives up. */
const AI = {
  run: (_model: string, _input: unknown, { signal }: { readonly signal: AbortSignal }) =>
    new Promise((resolve, reject) => {
      calls.started += 1
      const timer = setTimeout(() => {
        calls.answered += 1
        resolve({ image: "" })
      }, 20_000)
      signal.addEventListener("abort", () => {
        calls.aborted += 1
        clearTimeout(timer)
        reject(new Error("aborted"))
      })
    })
}

const withModel = { ...env, AI, IMAGE_GENERATOR: "workers-ai" }
const serve = App.handler(sample.server, withModel, waitUntil)

/** The Worker with the model above; `/_model` tells what became of its calls. */
export default {
  fetch: (request) => (new URL(request.url).pathname === "/_model" ? Response.json(calls) : serve(request))
} satisfies ExportedHandler

/** Sessions with the same model. */
export class AccountObject extends Base {
  constructor(ctx: DurableObjectState, env: Readonly<Record<string, unknown>>) {
    super(ctx, env, (events) => App.account(sample.server, withModel, events))
  }
}
