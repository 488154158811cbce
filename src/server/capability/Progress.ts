import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** How far a tool call has come. `progress` has to grow with every report; `total` is where it ends, if known. */
export interface Report {
  readonly progress: number
  readonly total?: number
  readonly message?: string
}

/** Tells the client how far the call has come, if the client asked for it (MCP, progress). */
export const Progress = Context.Reference<(report: Report) => Effect.Effect<void>>("capability/Progress", {
  defaultValue: () => () => Effect.void
})
