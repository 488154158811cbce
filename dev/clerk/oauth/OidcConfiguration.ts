import { type Configuration, interactionPolicy, type KoaContextWithOIDC } from "oidc-provider"
import type { JWK } from "jose"
import { randomSecret } from "../Ids.ts"
import { knownScopes } from "../OAuthApplications.ts"
import { errorPage } from "../PageFrame.ts"
import { claimsByScope } from "./UserClaims.ts"

const minute = 60
const day = 24 * 60 * minute
const tenYears = 3650 * day

/** Name of the cookie that holds the Clerk session's id in the browser. */
export const sessionCookie = "clerk_stand_in_session"

export const routes = {
  authorization: "/oauth/authorize",
  token: "/oauth/token",
  userinfo: "/oauth/userinfo",
  introspection: "/oauth/token_info",
  revocation: "/oauth/token/revoke",
  jwks: "/.well-known/jwks.json",
  signIn: "/sign-in"
} as const

export interface OidcHooks {
  readonly adapter: NonNullable<Configuration["adapter"]>
  readonly findAccount: NonNullable<Configuration["findAccount"]>
  /** The browser's Clerk session is active and belongs to this user. */
  readonly isSignedIn: (sessionId: string | undefined, userId: string) => Promise<boolean>
  readonly signingKey: JWK
}

/** Sign-in is asked again once the Clerk session behind the browser has ended; consent is never asked. */
const policyOf = (hooks: OidcHooks): interactionPolicy.DefaultPolicy => {
  const policy = interactionPolicy.base()
  policy.get("consent")?.checks.clear()
  policy.get("login")?.checks.add(
    new interactionPolicy.Check("clerk_session_ended", "the Clerk session has ended", "login_required", async (ctx) => {
      const userId = ctx.oidc.session?.accountId
      if (userId === undefined || ctx.oidc.result?.login !== undefined) {
        return interactionPolicy.Check.NO_NEED_TO_PROMPT
      }
      return (await hooks.isSignedIn(ctx.cookies.get(sessionCookie), userId))
        ? interactionPolicy.Check.NO_NEED_TO_PROMPT
        : interactionPolicy.Check.REQUEST_PROMPT
    })
  )
  return policy
}

/** Clerk's consent screen is off for the demo: the grant follows from the request. */
const grantEverythingAsked = async (ctx: KoaContextWithOIDC) => {
  const { client, params, provider, session } = ctx.oidc
  if (client === undefined || session?.accountId === undefined) return undefined
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  const scope = params?.["scope"]
  grant.addOIDCScope(typeof scope === "string" ? scope : "")
  await grant.save()
  return grant
}

/** Clerk's OAuth server in oidc-provider's terms. Token lifetimes are those of Clerk's documentation. */
export const oidcConfiguration = (hooks: OidcHooks): Configuration => ({
  adapter: hooks.adapter,
  findAccount: hooks.findAccount,
  // A copy: oidc-provider writes to the keys that it is given. Its signature is replaced on the way out.
  jwks: { keys: [{ ...hooks.signingKey, kty: "RSA", use: "sig", alg: "RS256" }] },
  routes,
  scopes: [...knownScopes],
  claims: Object.fromEntries(Object.entries(claimsByScope).map(([scope, names]) => [scope, [...names]])),
  // Clerk's id_token carries the claims of its scopes.
  conformIdTokenClaims: false,
  responseTypes: ["code"],
  subjectTypes: ["public"],
  clientAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
  pkce: { required: (_ctx, client) => client.clientAuthMethod === "none" },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
    revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
    resourceIndicators: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: false }
  },
  interactions: { policy: policyOf(hooks), url: (_ctx, interaction) => `${routes.signIn}/${interaction.uid}` },
  loadExistingGrant: grantEverythingAsked,
  expiresWithSession: () => false,
  issueRefreshToken: (_ctx, client, source) =>
    client.grantTypeAllowed("refresh_token") && source.scopes.has("offline_access"),
  rotateRefreshToken: () => true,
  clientBasedCORS: () => false,
  cookies: {
    keys: [randomSecret(32)],
    names: {
      session: "clerk_stand_in_browser",
      interaction: "clerk_stand_in_sign_in",
      resume: "clerk_stand_in_resume"
    }
  },
  ttl: {
    AccessToken: day,
    AuthorizationCode: 10 * minute,
    IdToken: day,
    RefreshToken: tenYears,
    Grant: tenYears,
    Interaction: 60 * minute,
    Session: 7 * day
  },
  renderError: (ctx, out) => {
    ctx.type = "html"
    ctx.body = errorPage(
      "This request cannot be completed",
      `${out.error_description ?? "The request was refused."} (${out.error})`
    )
  }
})
