import * as Context from "effect/Context"

/**
 * Keeps the work of a request going after its answer was sent or its client has left. On Workers this is `waitUntil`;
 * elsewhere promises live on by themselves.
 */
export const KeepAlive = Context.Reference<(work: Promise<unknown>) => void>("config/KeepAlive", {
  defaultValue: () => () => {}
})
