import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import * as Grants from "../oauth/Grants.ts"
import * as Incident from "../observability/Incident.ts"
import { Connections } from "../tools/Connections.ts"
import { AccountAgents } from "./AccountAgents.ts"

/** A user's connections are grants, and the sessions that were opened with one end with it. */
export const layer = Layer.effect(
  Connections,
  Effect.gen(function* () {
    const { list, end } = yield* Connections
    const agents = yield* AccountAgents
    return Connections.of({
      list,
      end: (userId, id) =>
        Effect.andThen(
          end(userId, id),
          // The connection is signed out by now: what may be left is a stream, which tells of changed lists only.
          Effect.catchTag(agents.forUser(userId).endGrants([id]), "AgentUnavailable", (failure) =>
            Incident.note("The sessions of a connection were not ended", failure)
          )
        )
    })
  })
).pipe(Layer.provide(Grants.layer))
