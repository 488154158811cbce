import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { type Middleware, ToolMiddleware, ToolRefused } from "../../src/server/index.ts"

/** Where calls are written down, and what says whether the shop is open. */
export class Audit extends Context.Service<
  Audit,
  { readonly open: Effect.Effect<boolean>; readonly write: (line: string) => Effect.Effect<void> }
>()("acme/Audit") {}

export const audited = Layer.effect(
  ToolMiddleware,
  Effect.gen(function* () {
    const { open, write } = yield* Audit
    const middleware: Middleware = (handler, { tool, principal }) =>
      Effect.gen(function* () {
        if (!(yield* open)) return yield* new ToolRefused({ message: "We are closed." })
        return yield* Effect.onExit(handler, ({ _tag }) => write(`${principal.userId} ${tool.name} ${_tag}`))
      })
    return middleware
  })
)
