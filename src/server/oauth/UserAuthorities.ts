import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { ClerkSaid } from "../access/Snapshots.ts"
import type { AccessUnknown } from "../access/Access.ts"
import { ClerkSessionId, ClientId, GrantId, OrganizationId, type UserId } from "../domain/Principal.ts"
import type { Admission, Bearer } from "./Admission.ts"
import type { StorageUnavailable } from "./AuthorizationFailure.ts"

/** What is stored of a grant in clear, so that it is found by what it depends on. */
export const GrantMetadata = Schema.Struct({
  /** The Clerk session that it was made from, if the sign-in handed one over. */
  clerkSessionId: Schema.optionalKey(ClerkSessionId),
  /** The organization that it is for, if it is for one. */
  organizationId: Schema.optionalKey(OrganizationId)
})
export type GrantMetadata = typeof GrantMetadata.Type

/** What one person gave one client. Times are in milliseconds since 1970. */
export const Grant = Schema.Struct({
  ...GrantMetadata.fields,
  id: GrantId,
  clientId: ClientId,
  scopes: Schema.Array(Schema.String),
  createdAt: Schema.Finite,
  /** Up to a minute late; when it was made, if it was not used since. */
  usedAt: Schema.Finite,
  /** How many sessions are open that were used under it last. */
  sessions: Schema.optionalKey(Schema.Int),
  /** Where the client is sent back to. */
  redirectUri: Schema.optionalKey(Schema.String)
})
export type Grant = typeof Grant.Type

/** A request to the token endpoint, as far as the OAuth library reads it. */
export interface TokenRequest {
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  /** `application/x-www-form-urlencoded`. */
  readonly form: string
}

/** What can be said of a user now: what Clerk said, unless that is too old. */
export type Standing =
  | { readonly _tag: "Said"; readonly said: ClerkSaid }
  | ({ readonly _tag: "Unknown" } & Pick<AccessUnknown, "retryAfterSeconds" | "passes">)

/**
 * The authority over one user: the only place where the user's grants and tokens are made, checked and ended. What it
 * answers holds for everybody from that moment on.
 */
export interface UserAuthority<E = StorageUnavailable> {
  /** Who an access token stands for, and what is known of the user: both in one answer. */
  readonly admit: (bearer: Bearer) => Effect.Effect<Admission, E>
  /**
   * Answers `/token` for a code, a refresh token or a revocation of this user (RFC 6749, sections 4.1.3 and 6; RFC 7009).
   * A code is used up together with the token that it buys; a refresh that is sent again gets the same answer.
   */
  readonly token: (request: TokenRequest) => Effect.Effect<Response, E>
  /** What is known of the user, from Clerk if need be. */
  readonly standing: Effect.Effect<Standing, E>
  readonly grants: Effect.Effect<ReadonlyArray<Grant>, E>
  /** Ends a grant: its tokens, and what is open under it. One that is gone already counts as ended. */
  readonly end: (grantId: GrantId) => Effect.Effect<void, E>
  /** Keeps a new grant, as the OAuth library writes it. `expiresAt` is in milliseconds since 1970. */
  readonly keep: (key: string, value: string, expiresAt: number | null) => Effect.Effect<void, E>
}

/** Where the authority over each user is reached. */
export class UserAuthorities extends Context.Service<
  UserAuthorities,
  { readonly of: (userId: UserId) => UserAuthority }
>()("oauth/UserAuthorities") {}
