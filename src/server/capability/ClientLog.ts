import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** One line of the client's log. `data` is the client's to show: no secrets, nothing of other users. */
export interface Entry {
  readonly level: "debug" | "info" | "notice" | "warning" | "error" | "critical" | "alert" | "emergency"
  readonly data: unknown
  /** What part of the server says so. */
  readonly logger?: string
}

/** Tells the client what happens during a call, if the client asked for that level (MCP, logging). */
export const ClientLog = Context.Reference<(entry: Entry) => Effect.Effect<void>>("capability/ClientLog", {
  defaultValue: () => () => Effect.void
})
