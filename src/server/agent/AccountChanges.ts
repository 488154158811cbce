import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import type { Identity } from "../domain/Identity.ts"
import { Changes, ChangesRefused } from "../mcp/Changes.ts"
import { AccountAgents } from "./AccountAgents.ts"
import { heldFrames } from "./HeldStream.ts"
import { unavailable } from "./SessionFailure.ts"

/** The user's object tells of changes over a socket, as it does to the streams of sessions. */
export const layer = Layer.effect(
  Changes,
  Effect.map(AccountAgents, (agents) =>
    Changes.of({
      follow: Effect.fnUntraced(function* (identity: Identity) {
        const agent = agents.forUser(identity.userId)
        const dial = (lastEventId?: string) =>
          agent.listen({ identity, wire: "changes", ...(lastEventId !== undefined && { lastEventId }) })
        const answer = yield* Effect.catchTag(dial(), "AgentUnavailable", unavailable)
        const { webSocket: socket } = answer
        if (!socket) return yield* new ChangesRefused({ answer })
        return heldFrames({ socket, dial }).pipe(
          Stream.filter(({ data }) => data !== undefined),
          Stream.map(() => undefined)
        )
      })
    })
  )
)
