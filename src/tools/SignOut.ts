import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { Elicitation, ClientLog, UserGrants, GrantsUnavailable, CurrentPrincipal, Policy } from "../server/index.ts"

const Confirmation = Schema.Struct({
  signOut: Schema.Boolean.annotate({ title: "Sign them out", description: "They have to sign in again after that" })
})

const SignOutEverywhere = Tool.make("signOutEverywhere", {
  description:
    "Sign out every other app that the user has connected to this server. Asks the user first. This connection stays.",
  success: Schema.Struct({
    signedOut: Schema.Int.annotate({ description: "How many connections were signed out" }),
    confirmed: Schema.Boolean.annotate({ description: "Whether the user agreed, or there was nothing to ask about" })
  }),
  failure: GrantsUnavailable,
  dependencies: [CurrentPrincipal, Elicitation]
})
  .annotate(Policy.Required, Policy.scopes("connections:manage"))
  .annotate(Tool.Title, "Sign out everywhere else")
  .annotate(Tool.Readonly, false)
  .annotate(Tool.Destructive, true)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

export const toolkit = Toolkit.make(SignOutEverywhere)

export const layer = toolkit.toLayer(
  Effect.gen(function* () {
    const connections = yield* UserGrants
    return {
      signOutEverywhere: Effect.fnUntraced(function* () {
        const { userId, grantId } = yield* CurrentPrincipal
        const others = (yield* connections.list(userId)).filter(({ id }) => id !== grantId)
        if (others.length === 0) return { signedOut: 0, confirmed: true }
        const answer = yield* Elicitation.form("confirm", {
          message: `Sign out ${others.length === 1 ? "one other connection" : `${others.length} other connections`}?`,
          schema: Confirmation
        })
        if (answer._tag !== "Accepted" || !answer.value.signOut) return { signedOut: 0, confirmed: false }
        const log = yield* ClientLog
        yield* Effect.forEach(
          others,
          ({ id, clientId }) =>
            Effect.andThen(connections.end(userId, id), log({ level: "notice", data: `Signed out ${clientId}` })),
          { discard: true }
        )
        return { signedOut: others.length, confirmed: true }
      })
    }
  })
)
