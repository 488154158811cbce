import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { StandInSettings } from "./StandInOptions.ts"

/** What an instance can have switched on or off in Clerk's dashboard, as far as the stand-in plays it. */
export const FeatureSwitches = Schema.Struct({
  /** Off on a new Clerk instance: what is asked about organizations is refused. */
  organizations: Schema.Boolean
})
export type FeatureSwitches = typeof FeatureSwitches.Type

/** The features of the instance. */
export class Features extends Context.Service<
  Features,
  {
    readonly current: Effect.Effect<FeatureSwitches>
    readonly set: (switches: FeatureSwitches) => Effect.Effect<void>
    /** As the stand-in was started. */
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/Features") {
  static readonly layer = Layer.effect(
    Features,
    Effect.map(StandInSettings, ({ features }) => {
      let current = features
      return Features.of({
        current: Effect.sync(() => current),
        set: (switches) => Effect.sync(() => void (current = switches)),
        reset: Effect.sync(() => void (current = features))
      })
    })
  )
}
