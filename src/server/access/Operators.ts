import * as Context from "effect/Context"

import { baseline } from "../domain/Scope.ts"
import * as Policy from "./Policy.ts"
import type { UserSnapshot } from "./UserSnapshot.ts"

/** Who may look at the connections of others and end them, on the account page. Nobody, unless the team says so. */
export const Operators = Context.Reference<Policy.Policy>("access/Operators", { defaultValue: () => Policy.nobody })

/**
 * Whether the policy admits this person as an operator. There is no token and no connection, so scopes count as granted
 * and an organization as none.
 */
export const isOperator = (policy: Policy.Policy, { role }: UserSnapshot): boolean =>
  Policy.evaluate(policy, {
    role: role ?? undefined,
    organization: undefined,
    scopes: new Set([baseline, ...Policy.scopesOf(policy)])
  })._tag === "Allowed"
