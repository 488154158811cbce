import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { KeepAlive } from "../config/KeepAlive.ts"
import type { UserId } from "../domain/Identity.ts"
import { GrantsEnded } from "../oauth/GrantsEnded.ts"
import * as Incident from "../observability/Incident.ts"
import { type AccountAgent, AccountAgents, type AgentUnavailable, backoff } from "./AccountAgents.ts"

/** The user's object ends the sessions and streams that were opened under a grant with the grant. */
export const layer = Layer.effect(
  GrantsEnded,
  Effect.gen(function* () {
    const agents = yield* AccountAgents
    const keepAlive = yield* KeepAlive
    const run = Effect.runPromiseWith(yield* Effect.context())
    const tell = (userId: UserId, end: (agent: AccountAgent) => Effect.Effect<void, AgentUnavailable>) => {
      const told = Effect.suspend(() => end(agents.forUser(userId))).pipe(
        // An object that is being replaced by a new version is back by then.
        Effect.retry({ schedule: backoff, times: 5 }),
        // No token of theirs is good any more: what may be left is a stream, which tells of changed lists only.
        Effect.catchTag("AgentUnavailable", (failure) =>
          Incident.note("The sessions of ended grants were not ended", failure)
        )
      )
      return Effect.sync(() => keepAlive(run(told)))
    }
    return GrantsEnded.of({
      one: (userId, grantId) => tell(userId, (agent) => agent.endGrants([grantId])),
      all: (userId) => tell(userId, (agent) => agent.endAll)
    })
  })
)
