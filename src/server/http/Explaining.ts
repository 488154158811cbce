import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import { organizationOf } from "../access/CurrentOrganization.ts"
import * as Explanation from "../access/Explanation.ts"
import * as Policy from "../access/Policy.ts"
import * as UserSnapshot from "../access/UserSnapshot.ts"
import { AccountStubs } from "../account/AccountStub.ts"
import type { UserId } from "../domain/Principal.ts"
import * as Scope from "../domain/Scope.ts"
import type { Kind, ServerFactory } from "../mcp/ServerFactory.ts"
import { Grants } from "../oauth/Grants.ts"
import type { Decision } from "../observability/Decisions.ts"

/** Why an operator gets no explanation. */
export class NotExplained extends Schema.TaggedError<NotExplained>()("NotExplained", {
  status: Schema.Literals([400, 401, 404, 503]),
  error: Schema.String,
  message: Schema.String
}) {}

export const notExplained = {
  invalid: (message: string) => new NotExplained({ status: 400, error: "invalid_request", message }),
  notFound: (message: string) => new NotExplained({ status: 404, error: "not_found", message }),
  unavailable: (message: string) => new NotExplained({ status: 503, error: "temporarily_unavailable", message })
}
const { notFound, unavailable } = notExplained

/** What is known of a user, or in words that the account is closed. */
const factsOf = Effect.fnUntraced(function* (userId: UserId) {
  const access = yield* Access
  return yield* access
    .current(userId)
    .pipe(
      Effect.catchTag("AccessError", ({ reason }) =>
        reason._tag === "AccountClosed"
          ? Effect.fail(
              notFound(
                `${userId} may not use anything: the account ${reason.deleted ? "does not exist in Clerk" : "is banned in Clerk"}.`
              )
            )
          : Effect.fail(unavailable("Clerk does not say what this user may do. Try again in a moment."))
      )
    )
})

export type PolicyOf = ServerFactory["Service"]["policyOf"]

/** What an operator asks about. */
export interface Asked {
  readonly kind: Kind
  readonly name: string
}

/** Explains for each connection of the user whether it may use this; without one, on the user alone. */
export const explainNow = Effect.fnUntraced(function* (
  policyOf: PolicyOf,
  userId: UserId,
  { kind, name }: Asked,
  grantId?: string
) {
  const grants = yield* Grants
  const policy = policyOf(kind, name)
  if (policy === undefined) return yield* notFound(`There is no ${kind} ${name}.`)
  const user = yield* factsOf(userId)
  const all = yield* Effect.mapError(grants.list(userId), () =>
    unavailable("The connections cannot be read right now.")
  )
  const chosen = all.filter(({ id }) => grantId === undefined || id === grantId)
  const about = { userId, name, policy }
  const connections = yield* Effect.forEach(chosen, ({ id, clientId, scopes, organizationId }) =>
    Effect.match(organizationOf(user, organizationId), {
      onFailure: ({ message }) => ({
        grantId: id,
        clientId,
        may: false,
        words: `${userId} may not use ${name} through client ${clientId}: ${message}`
      }),
      onSuccess: (organization) => ({
        grantId: id,
        clientId,
        ...Explanation.explain({
          ...about,
          clientId,
          ...(organization !== undefined && { organization: organization.name }),
          facts: UserSnapshot.policyInput(user, { scopes }, organization)
        })
      })
    })
  )
  if (connections.length > 0) {
    const words = connections.map((connection) => connection.words).join("\n")
    return { may: connections.some(({ may }) => may), words, connections }
  }
  const granted = UserSnapshot.policyInput(user, { scopes: [Scope.baseline, ...Policy.scopesOf(policy)] }, undefined)
  const { may, words } = Explanation.explain({ ...about, facts: granted })
  const none = grantId === undefined ? "The user has no connection." : "That connection was ended since."
  return { may: false, words: may ? `${words} ${none}` : words, connections }
})

const kindOf: Readonly<Record<string, Kind>> = {
  "tools/call": "tool",
  "resources/read": "resource",
  "prompts/get": "prompt"
}

/** Tells how a decision went, and how it would go now. */
export const explainThen = Effect.fnUntraced(function* (policyOf: PolicyOf, userId: UserId, reference: string) {
  const accounts = yield* AccountStubs
  const found: ReadonlyArray<Decision> = yield* Effect.mapError(
    accounts.forUser(userId).decisions({ limit: 1, reference }),
    () => unavailable("The decisions of this user cannot be read right now.")
  )
  const [decision] = found
  if (decision === undefined) {
    return yield* notFound(`No decision on a message of ${userId} has the reference ${reference}.`)
  }
  const kind = kindOf[decision.method]
  const then = Explanation.told(decision)
  const now =
    kind === undefined
      ? undefined
      : yield* explainNow(policyOf, userId, { kind, name: decision.name }, decision.grantId).pipe(
          Effect.catchTag("NotExplained", ({ message }) => Effect.succeed({ words: message }))
        )
  return { words: now === undefined ? then : `${then}\nNow: ${now.words}`, decision, ...(now && { now }) }
})
