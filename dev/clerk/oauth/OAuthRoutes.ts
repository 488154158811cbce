import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import { clerkErrors } from "../ClerkErrorBody.ts"
import { Directory } from "../Directory.ts"
import { Organizations } from "../Organizations.ts"
import { KeyRing } from "../KeyRing.ts"
import { knownScopes } from "../OAuthApplications.ts"
import { instanceId, StandInSettings } from "../StandInOptions.ts"
import { OAuthRecords } from "./OAuthRecords.ts"
import { OAuthServer } from "./OAuthServer.ts"
import { routes } from "./OidcConfiguration.ts"
import { claimsByScope, userClaims } from "./UserClaims.ts"

const metadataOf = (origin: string) => ({
  issuer: origin,
  authorization_endpoint: `${origin}${routes.authorization}`,
  token_endpoint: `${origin}${routes.token}`,
  revocation_endpoint: `${origin}${routes.revocation}`,
  jwks_uri: `${origin}${routes.jwks}`,
  scopes_supported: knownScopes,
  response_types_supported: ["code"],
  grant_types_supported: ["authorization_code", "refresh_token"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256"],
  token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
  claims_supported: ["aud", "exp", "iat", "iss", "jti", "nonce", ...Object.values(claimsByScope).flat()],
  code_challenge_methods_supported: ["S256"]
})

const bearerOf = (authorization: string | undefined): string | undefined =>
  /^Bearer ([^ ]+)$/i.exec(authorization ?? "")?.[1]

/** Discovery, keys and userinfo as Clerk's Frontend API answers them; the rest of `/oauth` is oidc-provider's. */
export const oauthRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { origin } = yield* StandInSettings
    const keys = yield* KeyRing
    const records = yield* OAuthRecords
    const directory = yield* Directory
    const organizations = yield* Organizations
    const server = yield* OAuthServer

    const userinfo = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const token = bearerOf(request.headers["authorization"])
      const access = token === undefined ? Option.none() : yield* records.findAccessToken(token)
      const user = Option.isNone(access) ? Option.none() : yield* directory.findInGoodStanding(access.value.userId)
      if (Option.isNone(access) || Option.isNone(user)) {
        return clerkErrors(
          401,
          [
            {
              message: "Unauthorized",
              longMessage: "The access token is missing, unknown, expired or revoked.",
              code: "oauth_token_invalid"
            }
          ],
          { "www-authenticate": 'Bearer error="invalid_token"' }
        )
      }
      const [newest] = yield* organizations.membershipsOf(user.value.id)
      return HttpServerResponse.jsonUnsafe({
        object: "oauth_user_info",
        instance_id: instanceId,
        user_id: user.value.id,
        ...userClaims(user.value, newest?.organization, access.value.scopes, origin)
      })
    })

    yield* router.add(
      "GET",
      "/.well-known/oauth-authorization-server",
      HttpServerResponse.jsonUnsafe(metadataOf(origin))
    )
    yield* router.add(
      "GET",
      "/.well-known/openid-configuration",
      HttpServerResponse.jsonUnsafe({
        ...metadataOf(origin),
        introspection_endpoint: `${origin}${routes.introspection}`,
        userinfo_endpoint: `${origin}${routes.userinfo}`,
        response_modes_supported: ["query", "form_post"],
        backchannel_logout_supported: false,
        frontchannel_logout_supported: false
      })
    )
    yield* router.add(
      "GET",
      routes.jwks,
      Effect.map(keys.published, (jwks) => HttpServerResponse.jsonUnsafe(jwks))
    )
    yield* router.add("GET", routes.userinfo, userinfo)
    yield* router.add("POST", routes.userinfo, userinfo)
    yield* router.add("*", "/oauth/*", Effect.as(server.handle, HttpServerResponse.empty()))
  })
)
