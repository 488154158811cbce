import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"

/**
 * Runs `effect` once for all callers that ask for the same key while it is under way.
 *
 * On Workers a fiber that another request's I/O resumes may not touch the I/O of its own request, and a request that
 * is cancelled takes its fibers along. So the shared run belongs to no caller: each waits on a Promise, which the
 * runtime resolves in the waiting request, and interrupting a caller leaves the run to the others. `keepAlive` is
 * handed the Promise so that it outlives the request that started it.
 */
export const make = <A, E>(keepAlive: (run: Promise<unknown>) => void) => {
  const underWay = new Map<string, Promise<Exit.Exit<A, E>>>()
  return <R>(key: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.contextWith((context: Context.Context<R>) => {
      let run = underWay.get(key)
      if (run === undefined) {
        run = Effect.runPromiseExitWith(context)(effect).finally(() => underWay.delete(key))
        underWay.set(key, run)
        keepAlive(run)
      }
      const shared = run
      return Effect.flatten(Effect.promise(() => shared))
    })
}
