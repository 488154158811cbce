import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { OAuthApplications } from "../OAuthApplications.ts"

const minimumStateLength = 8

/** What Clerk does with an authorization request before oidc-provider looks at it. */
export type AuthorizeDecision =
  | { readonly kind: "refuse"; readonly location: string }
  | { readonly kind: "proceed"; readonly querystring: string }

const tooWeak = (state: string | null, hasChallenge: boolean): boolean =>
  state === null ? !hasChallenge : state.length < minimumStateLength

/**
 * Clerk's own rules: `state` of at least 8 characters (it may be absent with PKCE only), `profile email` as the default
 * scopes, refresh tokens for `offline_access` without a consent screen. A weak state is refused by redirect if the
 * redirect address is registered; everything else is left to oidc-provider.
 */
export const authorizeDecision = Effect.fnUntraced(function* (
  query: URLSearchParams,
  applications: OAuthApplications["Service"]
) {
  const state = query.get("state")
  const redirectUri = query.get("redirect_uri")
  if (tooWeak(state, query.has("code_challenge")) && redirectUri !== null) {
    const application = yield* applications.findByClientId(query.get("client_id") ?? "")
    if (Option.exists(application, (one) => one.redirectUris.includes(redirectUri))) {
      const location = new URL(redirectUri)
      location.searchParams.set("error", "invalid_state")
      location.searchParams.set(
        "error_description",
        `The state is missing or has less than ${minimumStateLength} characters and is therefore considered too weak.`
      )
      if (state !== null) location.searchParams.set("state", state)
      return { kind: "refuse", location: location.href } satisfies AuthorizeDecision
    }
  }
  const scope = query.get("scope") ?? "profile email"
  const prompts = new Set(
    query
      .get("prompt")
      ?.split(" ")
      .filter((prompt) => prompt !== "")
  )
  // oidc-provider drops offline_access unless consent is prompted for; the consent prompt itself never shows.
  if (scope.split(" ").includes("offline_access") && !prompts.has("none")) prompts.add("consent")
  const amended = new URLSearchParams(query)
  amended.set("scope", scope)
  // Clerk ignores a nonce that no id_token will carry; oidc-provider would refuse it.
  if (!scope.split(" ").includes("openid")) amended.delete("nonce")
  if (prompts.size > 0) amended.set("prompt", Array.from(prompts).join(" "))
  return { kind: "proceed", querystring: amended.toString() } satisfies AuthorizeDecision
})

/** The redirect back without `iss`, which Clerk does not promise. */
export const withoutIssuer = (location: string): string => {
  const url = URL.parse(location)
  if (url === null || !url.searchParams.has("iss")) return location
  url.searchParams.delete("iss")
  return url.href
}
