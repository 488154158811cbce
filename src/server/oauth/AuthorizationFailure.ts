import type { AuthRequest } from "@cloudflare/workers-oauth-provider"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import {
  ClerkMisconfigured,
  ClerkUnavailable,
  ClerkUnexpected,
  ClerkSessionEnded,
  UserNotFound
} from "../clerk/ClerkError.ts"
import { CodeRejected } from "../clerk/ClerkOAuth.ts"
import { TokenRejected } from "../clerk/ClerkJwt.ts"
import { AccountClosed, AccessUnknown, OrganizationLeft } from "../access/Access.ts"
import { NotAMember, OrganizationRequired } from "./Organizations.ts"
import { StateExpired, StateForged } from "./StateSigner.ts"

/**
 * The request does not conform, or continues nothing that this browser has open. `description` is for people;
 * `code` is an OAuth error code (RFC 6749, section 4.1.2.1; RFC 8707; RFC 9396; OpenID Connect Core 1.0, section 3.1.2.6).
 */
export class RequestRejected extends Schema.TaggedError<RequestRejected>()("RequestRejected", {
  code: Schema.Literals([
    "invalid_request",
    "invalid_target",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "interaction_required",
    "login_required",
    "account_selection_required",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
    "invalid_authorization_details"
  ]),
  description: Schema.String
}) {}

/** The form that came back is too large, or no form. `status` is the HTTP status that says so. */
export class FormRejected extends Schema.TaggedError<FormRejected>()("FormRejected", {
  status: Schema.Literals([413, 415]),
  description: Schema.String
}) {}

/** The settings do not let this client connect (`ClientRules`). `description` says why. */
export class ClientNotAllowed extends Schema.TaggedError<ClientNotAllowed>()("ClientNotAllowed", {
  description: Schema.String
}) {}

/** No answer came from the address of the client's metadata document: nobody knows what it says. */
export class ClientUnreachable extends Schema.TaggedError<ClientUnreachable>()("ClientUnreachable", {
  detail: Schema.String
}) {}

/** The address of the client's metadata document was answered, and not with what such a document must hold. */
export class ClientUnverifiable extends Schema.TaggedError<ClientUnverifiable>()("ClientUnverifiable", {
  detail: Schema.String
}) {}

/** The browser came back with an error: the person gave up signing in, or it could not be completed. */
export class SignInDeclined extends Schema.TaggedError<SignInDeclined>()("SignInDeclined", {
  error: Schema.Literals(["access_denied", "other"])
}) {}

/** The store of grants and transactions does not answer. */
export class StorageUnavailable extends Schema.TaggedError<StorageUnavailable>()("StorageUnavailable", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

/**
 * Where an authorization request can be answered with a redirect: it is set only once the client and its exact
 * redirect URI have been checked, so that nobody is ever sent to an address that a stranger chose.
 */
export const TrustedRedirect = Schema.Struct({
  redirectUri: Schema.String,
  state: Schema.optionalKey(Schema.String),
  issuer: Schema.optionalKey(Schema.String)
})
export type TrustedRedirect = typeof TrustedRedirect.Type

/** The redirect of a request that the library has checked. It writes an absent `state` as an empty one. */
export const trustedRedirect = ({ redirectUri, state, issuer }: AuthRequest): TrustedRedirect => ({
  redirectUri,
  ...(state !== "" && { state }),
  ...(issuer !== undefined && { issuer })
})

/** Why an authorization did not end in a grant. */
export class AuthorizationFailure extends Schema.TaggedError<AuthorizationFailure>()("AuthorizationFailure", {
  reason: Schema.Union([
    RequestRejected,
    FormRejected,
    ClientNotAllowed,
    ClientUnreachable,
    ClientUnverifiable,
    StateForged,
    StateExpired,
    SignInDeclined,
    CodeRejected,
    TokenRejected,
    ClerkUnavailable,
    ClerkMisconfigured,
    ClerkUnexpected,
    ClerkSessionEnded,
    UserNotFound,
    AccountClosed,
    AccessUnknown,
    OrganizationLeft,
    NotAMember,
    OrganizationRequired,
    StorageUnavailable
  ]),
  redirect: Schema.optionalKey(TrustedRedirect),
  /** The person wanted to sign in to the account page: there is no client. */
  atAccount: Schema.optionalKey(Schema.Literal(true))
}) {}

/** The storage's failures go to the client from here on: the step before has used up what the person sent. */
export const tellingClient =
  (authRequest: AuthRequest) =>
  <A, R>(step: Effect.Effect<A, AuthorizationFailure, R>): Effect.Effect<A, AuthorizationFailure, R> =>
    Effect.mapError(step, ({ reason, redirect }) => {
      const known = redirect ?? (reason._tag === "StorageUnavailable" ? trustedRedirect(authRequest) : undefined)
      return new AuthorizationFailure({ reason, ...(known !== undefined && { redirect: known }) })
    })

/** Every failure goes to the client from here on: who signed in was found out, and used up what the browser brought. */
export const refusing =
  (authRequest: AuthRequest) =>
  <A, R>(step: Effect.Effect<A, Pick<AuthorizationFailure, "reason">, R>): Effect.Effect<A, AuthorizationFailure, R> =>
    Effect.mapError(step, ({ reason }) => new AuthorizationFailure({ reason, redirect: trustedRedirect(authRequest) }))

/** A request that is refused without telling any client: it is not known, or not to be believed, which one it was. */
export const rejected = (description: string): AuthorizationFailure =>
  new AuthorizationFailure({ reason: new RequestRejected({ code: "invalid_request", description }) })
