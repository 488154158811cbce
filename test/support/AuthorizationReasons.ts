import { AccessUnknown, AccountClosed, OrganizationLeft } from "../../src/server/access/Access.ts"
import {
  ClerkMisconfigured,
  ClerkUnavailable,
  ClerkUnexpected,
  ClerkSessionEnded,
  UserNotFound
} from "../../src/server/clerk/ClerkError.ts"
import { CodeRejected } from "../../src/server/clerk/ClerkOAuth.ts"
import { TokenRejected } from "../../src/server/clerk/ClerkJwt.ts"
import {
  type AuthorizationFailure,
  ClientNotAllowed,
  ClientUnreachable,
  ClientUnverifiable,
  FormRejected,
  RequestRejected,
  SignInDeclined,
  StorageUnavailable
} from "../../src/server/oauth/AuthorizationFailure.ts"
import { NotAMember, OrganizationRequired } from "../../src/server/oauth/Organizations.ts"
import { StateExpired, StateForged } from "../../src/server/oauth/StateSigner.ts"

/** Every way in which an authorization can fail, with what a client and a browser are answered. */
export const authorizationReasons: ReadonlyArray<
  readonly [reason: AuthorizationFailure["reason"], code: string, status: number]
> = [
  [new RequestRejected({ code: "invalid_scope", description: "Unknown scope" }), "invalid_scope", 400],
  [new RequestRejected({ code: "invalid_target", description: "Unknown resource" }), "invalid_target", 400],
  [new FormRejected({ status: 413, description: "Too large" }), "invalid_request", 413],
  [new FormRejected({ status: 415, description: "No form" }), "invalid_request", 415],
  [new ClientNotAllowed({ description: "No" }), "unauthorized_client", 403],
  [new ClientUnreachable({ detail: "no answer" }), "temporarily_unavailable", 503],
  [new ClientUnverifiable({ detail: "404" }), "invalid_request", 400],
  [new StateForged(), "invalid_request", 400],
  [new StateExpired(), "invalid_request", 400],
  [new SignInDeclined({ error: "access_denied" }), "access_denied", 403],
  [new SignInDeclined({ error: "other" }), "server_error", 502],
  [new CodeRejected(), "server_error", 502],
  [new ClerkSessionEnded(), "access_denied", 403],
  [new UserNotFound(), "access_denied", 403],
  [new TokenRejected({ check: "aud" }), "server_error", 502],
  [new ClerkUnavailable({ operation: "token" }), "temporarily_unavailable", 503],
  [new ClerkMisconfigured({ operation: "token", status: 401, code: "invalid_client" }), "server_error", 500],
  [new ClerkUnexpected({ operation: "token", detail: "no id_token" }), "server_error", 502],
  [new AccountClosed({ deleted: false }), "access_denied", 403],
  [new AccessUnknown({ retryAfterSeconds: 5, passes: true }), "temporarily_unavailable", 503],
  [new AccessUnknown({ retryAfterSeconds: 5, passes: false }), "server_error", 500],
  [new OrganizationLeft(), "access_denied", 403],
  [new OrganizationRequired(), "access_denied", 403],
  [new NotAMember({ slug: "acme" }), "access_denied", 403],
  [new StorageUnavailable({ operation: "get", cause: new Error("secret detail") }), "temporarily_unavailable", 503]
]
