import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Time as the stand-in sees it: wall time plus an offset that a test may set. */
export class StandInClock extends Context.Service<
  StandInClock,
  {
    readonly nowMillis: Effect.Effect<number>
    readonly nowSeconds: Effect.Effect<number>
    readonly offsetSeconds: Effect.Effect<number>
    /** Sets the offset; it does not add to the previous one. */
    readonly setOffset: (seconds: number) => Effect.Effect<void>
  }
>()("dev/clerk/StandInClock") {
  static readonly layer = Layer.effect(
    StandInClock,
    Effect.gen(function* () {
      // Taken once: a hook called from a test's own fiber must not bring that fiber's TestClock along.
      const clock = yield* Clock.Clock
      let offset = 0
      const nowMillis = Effect.sync(() => clock.currentTimeMillisUnsafe() + offset * 1000)
      return StandInClock.of({
        nowMillis,
        nowSeconds: Effect.map(nowMillis, (millis) => Math.floor(millis / 1000)),
        offsetSeconds: Effect.sync(() => offset),
        setOffset: (seconds) => Effect.sync(() => void (offset = seconds))
      })
    })
  )
}

/**
 * The stand-in plays another process, so it keeps wall time even where a test owns `TestClock`
 * (oidc-provider reads the system clock in any case).
 */
export const wallClock = Layer.sync(Clock.Clock, () => Clock.Clock.defaultValue())
