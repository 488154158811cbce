import type { Caller } from "../access/Caller.ts"
import type { ClientId, UserId } from "../domain/Principal.ts"

/** What a request proves itself with: its access token, and the identifier of the resource that it was sent to. */
export interface Bearer {
  readonly token: string
  readonly resource: string
}

/** The token is good: who calls, and when it expires, in seconds since 1970. */
export interface Admitted {
  readonly _tag: "Admitted"
  readonly caller: Caller
  readonly expiresAt: number
}

/** The token is not good here. `reason` is for the log; a stranger is whoever sends what was never given to anybody. */
export interface NotAdmitted {
  readonly _tag: "NotAdmitted"
  readonly reason: string
  readonly known?: { readonly userId: UserId; readonly clientId: ClientId }
}

/** Whether the token is good cannot be told at present. */
export interface AdmissionUnknown {
  readonly _tag: "AdmissionUnknown"
  readonly reason: string
}

/** What the user's object says of an access token. Plain data: it crosses from the object to the Worker. */
export type Admission = Admitted | NotAdmitted | AdmissionUnknown

/** The user, the grant and the whole of what the OAuth library writes as `user:grant:secret`: codes and tokens. */
export const parseToken = (token: string): { readonly userId: string; readonly grantId: string } | undefined => {
  const [userId, grantId, secret, ...rest] = token.split(":")
  return userId && grantId && secret && rest.length === 0 ? { userId, grantId } : undefined
}
