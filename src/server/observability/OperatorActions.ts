import * as Schema from "effect/Schema"

import { ClientId, GrantId, OrganizationId, UserId } from "../domain/Principal.ts"
import { Decision } from "./Decisions.ts"

/** What an operator did about a user on the account page. Holds ids and nothing personal. */
export const OperatorAction = Schema.Struct({
  /** In milliseconds since 1970. */
  time: Schema.Finite,
  userId: UserId,
  /** The operator. */
  by: UserId,
  did: Schema.Union([
    /** Opened the page of the user. */
    Schema.TaggedStruct("Looked", {}),
    /** Asked whether the user may use something of the catalogue. */
    Schema.TaggedStruct("Asked", { kind: Schema.String, name: Schema.String }),
    Schema.TaggedStruct("Ended", {
      clientId: ClientId,
      grantId: GrantId,
      organizationId: Schema.optionalKey(OrganizationId)
    })
  ]),
  reference: Schema.String
})
export type OperatorAction = typeof OperatorAction.Type

/** What is kept of a user for the user to see: what was decided on messages, and what operators did. */
export const Recorded = Schema.Union([OperatorAction, Decision])
export type Recorded = typeof Recorded.Type

export const isOperatorAction = (recorded: Recorded): recorded is OperatorAction => "did" in recorded
