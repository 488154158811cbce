import type { Principal } from "../domain/Principal.ts"
import type { AccessUnknown } from "./Access.ts"
import type { UserSnapshot } from "./UserSnapshot.ts"

/** What is known of a user at the moment of a request. Plain data: it crosses from the user's object to the Worker. */
export type Facts =
  | { readonly _tag: "Known"; readonly user: UserSnapshot }
  | ({ readonly _tag: "Unknown" } & Pick<AccessUnknown, "retryAfterSeconds" | "passes">)

/** Who sent a request, and what is known of the user. Every message is judged by the caller of its own request. */
export interface Caller {
  readonly principal: Principal
  readonly facts: Facts
}
