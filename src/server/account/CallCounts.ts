import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { CallCounts, CallsNotCounted } from "../capability/CallLimit.ts"
import * as Incident from "../observability/Incident.ts"
import { AccountStubs, type AccountUnavailable } from "./AccountStub.ts"
import { CallTimes } from "./CallTimes.ts"

/** Inside the object, where its sessions are served: no network. */
export const inObject = Layer.effect(
  CallCounts,
  Effect.map(CallTimes, ({ take, giveBack }) => ({
    take: (_userId, tool, limit) => take(tool, limit),
    giveBack: (_userId, tool, at) => giveBack(tool, at)
  }))
)

const note = (failure: AccountUnavailable) => Incident.note("A call of a tool was not counted", failure)

/** In the Worker, where requests without a session are served. A call is not counted twice: the first try may have counted. */
export const ofAccounts = Layer.effect(
  CallCounts,
  Effect.map(AccountStubs, (accounts) => ({
    take: (userId, tool, limit) =>
      Effect.catchTag(accounts.forUser(userId).takeCall(tool, limit), "AccountUnavailable", (failure) =>
        Effect.andThen(note(failure), Effect.fail(new CallsNotCounted()))
      ),
    giveBack: (userId, tool, at) =>
      Effect.catchTag(accounts.forUser(userId).giveBackCall(tool, at), "AccountUnavailable", note)
  }))
)
