import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import type { Identity } from "../domain/Identity.ts"
import { Changes } from "../mcp/Changes.ts"
import * as Incident from "../observability/Incident.ts"
import { AccountAgents } from "./AccountAgents.ts"
import { heldFrames } from "./HeldStream.ts"

/** The user's object tells of changes over a socket, as it does to the streams of sessions. */
export const layer = Layer.effect(
  Changes,
  Effect.map(AccountAgents, (agents) =>
    Changes.of({
      follow: (identity: Identity) => {
        const agent = agents.forUser(identity.userId)
        const dial = (lastEventId?: string) =>
          agent.listen({ identity, wire: "changes", ...(lastEventId !== undefined && { lastEventId }) })
        return Effect.map(dial(), ({ webSocket: socket }) =>
          socket ? heldFrames({ socket, dial }) : Stream.empty
        ).pipe(
          Effect.catchTag("AgentUnavailable", (failure) =>
            Effect.as(Incident.note("A subscription could not be opened", failure), Stream.empty)
          ),
          Stream.unwrap,
          Stream.filter(({ data }) => data !== undefined),
          Stream.map(() => undefined)
        )
      }
    })
  )
)
