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
export const isOperator = (policy: Policy.Policy, { role }: Pick<UserSnapshot, "role">): boolean =>
  Policy.evaluate(policy, {
    role: role ?? undefined,
    organization: undefined,
    scopes: new Set([baseline, ...Policy.scopesOf(policy)])
  })._tag === "Allowed"

/** Whether a policy asks for something of an organization. */
const namesOrganization = (policy: Policy.Policy): boolean => {
  switch (policy._tag) {
    case "Permission":
    case "OrganizationRole":
    case "InOrganization":
      return true
    case "All":
    case "Any":
      return policy.policies.some(namesOrganization)
    default:
      return false
  }
}

/** What is wrong with the policy of a team's operators, in sentences. */
export const operatorFaults = (policy: Policy.Policy): ReadonlyArray<string> => [
  ...(namesOrganization(policy)
    ? ["operators names an organization, and who opens the account page does so for none: name roles of accounts."]
    : []),
  ...(isOperator(policy, { role: null }) ? ["operators admits everybody who has an account: name roles."] : [])
]
