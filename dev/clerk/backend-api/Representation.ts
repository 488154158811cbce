import type * as Schema from "effect/Schema"
import { avatarUrl } from "../Avatar.ts"
import type { ClerkSession } from "../ClerkSessions.ts"
import type { ClerkUser } from "../Directory.ts"
import { stableId } from "../Ids.ts"
import type { OAuthApplication } from "../OAuthApplications.ts"
import { routes } from "../oauth/OidcConfiguration.ts"
import { instanceId } from "../StandInOptions.ts"

export type JsonObject = { readonly [name: string]: Schema.Json }

const emailJson = (user: ClerkUser): JsonObject => ({
  id: stableId("idn", user.id),
  object: "email_address",
  email_address: user.email,
  reserved: false,
  verification: {
    object: "verification_admin",
    status: "verified",
    strategy: "admin",
    attempts: null,
    expire_at: null
  },
  linked_to: [],
  matches_sso_connection: false,
  created_at: user.createdAt,
  updated_at: user.createdAt
})

/** `User` of the Backend API. */
export const userJson = (user: ClerkUser, origin: string): JsonObject => ({
  id: user.id,
  object: "user",
  username: user.username,
  first_name: user.firstName,
  last_name: user.lastName,
  locale: user.locale,
  image_url: avatarUrl(origin, user.id),
  has_image: true,
  primary_email_address_id: stableId("idn", user.id),
  primary_phone_number_id: null,
  primary_web3_wallet_id: null,
  password_enabled: false,
  two_factor_enabled: false,
  totp_enabled: false,
  backup_code_enabled: false,
  email_addresses: [emailJson(user)],
  phone_numbers: [],
  web3_wallets: [],
  passkeys: [],
  external_accounts: [],
  saml_accounts: [],
  enterprise_accounts: [],
  public_metadata: user.publicMetadata,
  private_metadata: user.privateMetadata,
  unsafe_metadata: user.unsafeMetadata,
  external_id: user.externalId,
  last_sign_in_at: user.lastSignInAt,
  last_active_at: user.lastSignInAt,
  banned: user.banned,
  locked: user.locked,
  deprovisioned: false,
  // An hour is Clerk's default. Here a lock stays until it is lifted.
  lockout_expires_in_seconds: user.locked ? 3600 : null,
  verification_attempts_remaining: user.locked ? 0 : 100,
  mfa_enabled_at: null,
  mfa_disabled_at: null,
  legal_accepted_at: null,
  delete_self_enabled: true,
  create_organization_enabled: true,
  created_at: user.createdAt,
  updated_at: user.updatedAt
})

/** `Session` of the Backend API. */
export const sessionJson = (session: ClerkSession): JsonObject => ({
  id: session.id,
  object: "session",
  client_id: session.clientId,
  user_id: session.userId,
  status: session.status,
  actor: null,
  tasks: null,
  last_active_organization_id: session.organizationId ?? null,
  last_active_at: session.lastActiveAt,
  expire_at: session.expireAt,
  abandon_at: session.abandonAt,
  created_at: session.createdAt,
  updated_at: session.updatedAt
})

/** `OAuthApplication` of the Backend API; Clerk shows the secret when it is made or rotated only. */
export const applicationJson = (
  application: OAuthApplication,
  origin: string,
  options?: { readonly withSecret: boolean }
): JsonObject => ({
  id: application.id,
  object: "oauth_application",
  instance_id: instanceId,
  name: application.name,
  client_id: application.clientId,
  client_uri: null,
  client_image_url: null,
  dynamically_registered: false,
  consent_screen_enabled: application.consentScreen,
  pkce_required: application.pkceRequired,
  public: application.isPublic,
  scopes: application.scopes,
  redirect_uris: application.redirectUris,
  callback_url: application.redirectUris[0] ?? "",
  authorize_url: `${origin}${routes.authorization}`,
  token_fetch_url: `${origin}${routes.token}`,
  user_info_url: `${origin}${routes.userinfo}`,
  discovery_url: `${origin}/.well-known/openid-configuration`,
  token_introspection_url: `${origin}${routes.introspection}`,
  created_at: application.createdAt,
  updated_at: application.updatedAt,
  ...(options?.withSecret === true ? { client_secret: application.isPublic ? "" : application.clientSecret } : {})
})

export const deletedJson = (object: string, id: string): JsonObject => ({ object, id, deleted: true })
