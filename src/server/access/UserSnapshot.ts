import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import type { ClerkMembership, ClerkUser } from "../clerk/ClerkApi.ts"
import { UserId } from "../domain/Principal.ts"
import { Role } from "../domain/Role.ts"
import type { PolicyInput } from "./Policy.ts"

/** The facts about a user at one moment, as Clerk told them. What a tool is told about its user comes from here. */
export const UserSnapshot = Schema.Struct({
  userId: UserId,
  email: Schema.NullOr(Schema.String),
  firstName: Schema.NullOr(Schema.String),
  lastName: Schema.NullOr(Schema.String),
  imageUrl: Schema.String,
  role: Schema.NullOr(Role),
  metadata: Schema.Record(Schema.String, Schema.Json),
  permissions: Schema.Array(Schema.String),
  /** When Clerk was asked, in milliseconds since 1970. */
  takenAt: Schema.Finite
})
export type UserSnapshot = typeof UserSnapshot.Type

const decodeRole = Schema.decodeUnknownOption(Role)

/** A role that is no string counts as no role. */
export const fromClerk = (
  user: ClerkUser,
  memberships: ReadonlyArray<ClerkMembership>,
  takenAt: number
): UserSnapshot => ({
  userId: user.id,
  email: user.primaryEmailAddress?.emailAddress ?? null,
  firstName: user.firstName,
  lastName: user.lastName,
  imageUrl: user.imageUrl,
  role: Option.getOrNull(decodeRole(user.publicMetadata["role"])),
  metadata: user.publicMetadata,
  permissions: [...new Set(memberships.flatMap((membership) => membership.permissions))],
  takenAt
})

/** The facts that policies are judged on: what the user is, and what the token of this request may do. */
export const policyInput = (snapshot: UserSnapshot, scopes: ReadonlyArray<string>): PolicyInput => ({
  role: snapshot.role ?? undefined,
  permissions: new Set(snapshot.permissions),
  scopes: new Set(scopes)
})

/** What of a user decides what the user may use, to compare: the same text for the same facts. */
export const allowing = ({ role, permissions }: UserSnapshot): string => JSON.stringify([role, permissions.toSorted()])
