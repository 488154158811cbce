import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import type { UserId } from "../domain/Principal.ts"
import { ClerkMisconfigured, ClerkUnavailable, ClerkUnexpected } from "./ClerkError.ts"
import { ClerkJwt, TokenRejected } from "./ClerkJwt.ts"
import { verifyIdToken } from "./IdToken.ts"

/** Clerk does not honour the authorization code: it was used before, is too old, or belongs to another request. */
export class CodeRejected extends Schema.TaggedError<CodeRejected>()("CodeRejected", {}) {}

/** Why an authorization code did not turn into a user. */
export class ClerkOAuthError extends Schema.TaggedError<ClerkOAuthError>()("ClerkOAuthError", {
  reason: Schema.Union([CodeRejected, TokenRejected, ClerkUnavailable, ClerkMisconfigured, ClerkUnexpected])
}) {}

/** The Worker's registration at Clerk. */
export interface Application {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
}

/** What has to be remembered between the redirect to Clerk and the callback. */
export const Challenge = Schema.Struct({ verifier: Schema.String, nonce: Schema.String })
export type Challenge = typeof Challenge.Type

/** The one scope that yields an id_token. Everything else about the user is read from the Backend API. */
const scope = "openid"
const timeout = Duration.seconds(10)

const TokenAnswer = Schema.Struct({ id_token: Schema.String })
/** As OAuth says it, or as the rest of Clerk's APIs do. */
const ErrorAnswer = Schema.Struct({
  error: Schema.optionalKey(Schema.String),
  errors: Schema.optionalKey(Schema.Array(Schema.Struct({ code: Schema.String })))
})
const utf8 = new TextEncoder()

/** Clerk as OAuth 2.0 and OpenID provider: authorization code flow with PKCE S256 (RFC 7636) and a nonce. */
export class ClerkOAuth extends Context.Service<
  ClerkOAuth,
  {
    /** A fresh challenge, 256 bits of randomness for the verifier and for the nonce. */
    readonly challenge: Effect.Effect<Challenge>
    /**
     * Where to send the browser so that Clerk signs the person in and sends it back to `/callback`. `login` asks for it
     * even of somebody who is signed in there.
     */
    readonly authorizationUrl: (state: string, challenge: Challenge, login?: boolean) => Effect.Effect<URL>
    /** Redeems the code of the callback and returns whom the checked id_token names. */
    readonly exchange: (code: string, challenge: Challenge) => Effect.Effect<UserId, ClerkOAuthError>
  }
>()("clerk/ClerkOAuth") {
  /** For one OAuth application of the Clerk instance. */
  static readonly layerNoDeps = Effect.fnUntraced(function* ({ clientId, clientSecret }: Application) {
    const { CLERK_FRONTEND_API: frontendApi, PUBLIC_URL: publicUrl } = yield* AppConfig
    const random = yield* SecureRandom.SecureRandom
    const digest = yield* Digest.Digest
    const http = yield* HttpClient.HttpClient
    const jwt = yield* ClerkJwt
    const redirectUri = new URL("/callback", publicUrl).href
    const randomText = Effect.map(random.randomBytes(32), Base64Url.encode)

    const redeem = Effect.fn("ClerkOAuth.redeem")(
      function* (code: string, verifier: string) {
        const response = yield* HttpClientRequest.post(new URL("/oauth/token", frontendApi)).pipe(
          HttpClientRequest.basicAuth(clientId, Redacted.value(clientSecret)),
          HttpClientRequest.bodyUrlParams({
            grant_type: "authorization_code",
            code,
            redirect_uri: redirectUri,
            code_verifier: verifier
          }),
          http.execute
        )
        if (response.status !== 200) return yield* refusal(response)
        return yield* HttpClientResponse.schemaBodyJson(TokenAnswer)(response)
      },
      Effect.timeout(timeout),
      Effect.catchTags({
        TimeoutError: () => Effect.fail(new ClerkUnavailable({ operation: "token" })),
        HttpClientError: ({ reason }) =>
          Effect.fail(
            reason._tag === "DecodeError" || reason._tag === "EmptyBodyError"
              ? new ClerkUnexpected({ operation: "token", detail: "no JSON" })
              : new ClerkUnavailable({ operation: "token" })
          ),
        SchemaError: () =>
          Effect.fail(new ClerkUnexpected({ operation: "token", detail: "no id_token: has the application openid?" }))
      })
    )

    return ClerkOAuth.of({
      challenge: Effect.all({ verifier: randomText, nonce: randomText }),

      authorizationUrl: Effect.fnUntraced(function* (state, { verifier, nonce }, login = false) {
        const hash = yield* Effect.orDie(digest.digest(Digest.sha256, utf8.encode(verifier)))
        const url = new URL("/oauth/authorize", frontendApi)
        url.search = new URLSearchParams({
          response_type: "code",
          client_id: clientId,
          redirect_uri: redirectUri,
          scope,
          state,
          nonce,
          code_challenge: Base64Url.encode(hash),
          code_challenge_method: "S256",
          ...(login && { prompt: "login" })
        }).toString()
        return url
      }),

      exchange: Effect.fn("ClerkOAuth.exchange")(
        function* (code, { verifier, nonce }) {
          const answer = yield* redeem(code, verifier)
          return yield* verifyIdToken(answer.id_token, { clientId, nonce })
        },
        Effect.provideService(ClerkJwt, jwt),
        Effect.mapError((reason) => new ClerkOAuthError({ reason }))
      )
    })
  }, Layer.effect(ClerkOAuth))

  /** Where people sign in otherwise, and nobody asks. */
  static readonly layerUnused = Layer.mock(ClerkOAuth)({})

  static readonly layer = (application: Application) =>
    this.layerNoDeps(application).pipe(
      Layer.provide([ClerkJwt.layer, SecureRandom.layerWebCrypto, Digest.layerWebCrypto]),
      Layer.provide(FetchHttpClient.layer)
    )
}

/** Clerk answers `invalid_grant` with 400 or 401, so the status alone does not tell (RFC 6749, section 5.2). */
const refusal = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  const { status } = response
  if (status === 429 || status >= 500) return yield* new ClerkUnavailable({ operation: "token", status })
  const { error, errors = [] } = yield* HttpClientResponse.schemaBodyJson(ErrorAnswer)(response)
  if (error === "invalid_grant") return yield* new CodeRejected()
  const code = error ?? errors[0]?.code
  return yield* new ClerkMisconfigured({ operation: "token", status, ...(code !== undefined && { code }) })
})
