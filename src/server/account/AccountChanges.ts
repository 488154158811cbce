import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import type { Principal } from "../domain/Principal.ts"
import { Changes, ChangesRefused } from "../mcp/Changes.ts"
import { AccountStubs } from "./AccountStub.ts"
import { resumableFrames } from "./ResumableSse.ts"
import { unavailable } from "./SessionFailure.ts"

/** The user's object tells of changes over a socket, as it does to the streams of sessions. */
export const layer = Layer.effect(
  Changes,
  Effect.map(AccountStubs, (accounts) =>
    Changes.of({
      follow: Effect.fnUntraced(function* (principal: Principal) {
        const account = accounts.forUser(principal.userId)
        const dial = (lastEventId?: string) =>
          account.listen({ principal, wire: "changes", ...(lastEventId !== undefined && { lastEventId }) })
        const answer = yield* Effect.catchTag(dial(), "AccountUnavailable", unavailable)
        const { webSocket: socket } = answer
        if (!socket) return yield* new ChangesRefused({ answer })
        return resumableFrames({ socket, dial }).pipe(
          Stream.filter(({ data }) => data !== undefined),
          Stream.map(() => undefined)
        )
      })
    })
  )
)
