import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { make } from "../../../src/server/Worker.ts"
import { definition } from "../../server/fixture/Definition.ts"
import { Painter } from "../../server/fixture/Painting.ts"

/** What became of the calls to the model. */
export interface ModelCalls {
  readonly started: number
  readonly aborted: number
  readonly answered: number
}

const calls = { started: 0, aborted: 0, answered: 0 }

/** What a model does that takes longer than any test, unless its caller gives up. */
const ask = (signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    calls.started += 1
    const timer = setTimeout(() => {
      calls.answered += 1
      resolve()
    }, 20_000)
    signal.addEventListener("abort", () => {
      calls.aborted += 1
      clearTimeout(timer)
      reject(new Error("aborted"))
    })
  })

const painter = Layer.succeed(Painter, {
  paint: () => Effect.as(Effect.promise(ask), { colour: "red", bytes: new Uint8Array() })
})

const server = make(definition(painter))

interface Env {
  readonly ACCOUNT_AGENT: DurableObjectNamespace<AccountObject>
}

/**
 * The fixture with a painter that asks the model above; `/_model` tells what became of its calls, `/_decisions` what is
 * stored for a user.
 */
export default {
  fetch: async (request, env) => {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === "/_model") return Response.json(calls)
    if (pathname !== "/_decisions") return server.fetch(request)
    const decisions = await env.ACCOUNT_AGENT.getByName(searchParams.get("user") ?? "").decisions({ limit: 10 })
    return Response.json([...decisions])
  }
} satisfies ExportedHandler<Env>

/** Sessions with the same painter. */
export class AccountObject extends server.AccountObject {}
