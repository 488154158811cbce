import * as Effect from "effect/Effect"

import { Catalogue } from "../../src/server/mcp/Catalogue.ts"

/** Calls a tool of the catalogue for the request that is provided. */
export const called = Effect.fnUntraced(function* (name: string, args?: unknown) {
  const { tools } = yield* Catalogue
  const tool = tools.find(({ listed }) => listed.name === name)
  if (tool === undefined) return yield* Effect.die(new Error(`no tool ${name}`))
  return yield* tool.call(args)
})
