import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import { CallCounts, CallLimit, type Limit } from "../capability/CallLimit.ts"
import { Elicitation } from "../capability/Elicitation.ts"
import { type Middleware, ToolRefused } from "../capability/ToolMiddleware.ts"

const several = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`

const tooMany = ({ calls, seconds }: Limit, wait: number): ToolRefused => {
  const allowed = `${several(calls, "time")} in ${several(seconds, "second")}`
  return new ToolRefused({
    message: `This tool may be called ${allowed}. Wait ${several(wait, "second")}, then call it again.`
  })
}

/**
 * What lets no call of a tool pass that is over the tool's limit, put around the team's own middleware. Where calls
 * cannot be counted it refuses them: teams limit what costs them something, and an outage is not to lift that.
 */
export const limiting = Effect.map(
  CallCounts,
  ({ take, giveBack }) =>
    (wrap: Middleware): Middleware =>
    (handler, call) => {
      const { tool, principal } = call
      const limit = Context.get(tool.annotations, CallLimit)
      if (limit === undefined) return wrap(handler, call)
      return Effect.gen(function* () {
        const name = String(tool.name)
        const counted = yield* Effect.catchTag(take(principal.userId, name, limit), "CallsNotCounted", () =>
          Effect.fail(new ToolRefused({ message: "This tool cannot be called right now. Try again in a moment." }))
        )
        if (counted._tag === "Refused") return yield* tooMany(limit, counted.seconds)
        const elicitation = yield* Elicitation
        // The handler runs again from its start once the question is answered, and counts then.
        const suspend: typeof elicitation.suspend = (requests) =>
          Effect.andThen(giveBack(principal.userId, name, counted.at), elicitation.suspend(requests))
        return yield* Effect.provideService(wrap(handler, call), Elicitation, { ...elicitation, suspend })
      })
    }
)
