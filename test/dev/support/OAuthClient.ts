import * as Effect from "effect/Effect"
import * as oauth from "oauth4webapi"
import { ClerkStandIn } from "../../../dev/clerk/ClerkStandIn.ts"
import { demoOptions } from "../../../dev/clerk/StandInOptions.ts"
import { Browser, type Visit } from "./Browser.ts"

// oxlint-disable-next-line typescript/no-deprecated -- marked so only to stand out; the stand-in has no TLS
export const insecure = { [oauth.allowInsecureRequests]: true } as const
export const redirectUri = demoOptions.redirectUris[0] ?? ""
const fullScope = "openid profile email offline_access public_metadata"

/** An authorization request on its way: what the client has to remember, and where to send the browser. */
export interface Request {
  readonly address: URL
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

/** An independent OAuth client (oauth4webapi), configured from the stand-in's discovery document. */
export const oauthClient = Effect.gen(function* () {
  const standIn = yield* ClerkStandIn
  const issuer = new URL(standIn.url)
  const server = yield* Effect.promise(async () =>
    oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
  )
  const client: oauth.Client = { client_id: standIn.settings.CLERK_CLIENT_ID }
  const clientAuth = oauth.ClientSecretPost(standIn.settings.CLERK_CLIENT_SECRET)

  const begin = Effect.fnUntraced(function* (extra: Readonly<Record<string, string | undefined>> = {}) {
    const verifier = oauth.generateRandomCodeVerifier()
    const challenge = yield* Effect.promise(() => oauth.calculatePKCECodeChallenge(verifier))
    const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
    const address = new URL(server.authorization_endpoint ?? "")
    const parameters = {
      client_id: client.client_id,
      response_type: "code",
      redirect_uri: redirectUri,
      scope: fullScope,
      state,
      nonce,
      code_challenge: challenge,
      code_challenge_method: "S256",
      ...extra
    }
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) address.searchParams.set(name, value)
    }
    return { address, state, nonce, verifier } satisfies Request
  })

  const exchangeCode = (request: Request, back: Visit, auth: oauth.ClientAuth = clientAuth) =>
    oauth.authorizationCodeGrantRequest(
      server,
      client,
      auth,
      oauth.validateAuthResponse(server, client, back.url, request.state),
      redirectUri,
      request.verifier,
      insecure
    )

  const finish = (request: Request, back: Visit, auth?: oauth.ClientAuth) =>
    Effect.promise(async () =>
      oauth.processAuthorizationCodeResponse(server, client, await exchangeCode(request, back, auth), {
        expectedNonce: request.nonce,
        requireIdToken: true
      })
    )

  /** The walk of a person: authorize, the form, and back. */
  const walk = Effect.fnUntraced(function* (email: string, extra?: Readonly<Record<string, string | undefined>>) {
    const browser = new Browser(standIn.url)
    const request = yield* begin(extra)
    const form = yield* Effect.promise(() => browser.visit(request.address))
    const back = yield* Effect.promise(() => browser.visit(form.url, { email }))
    return { browser, request, form, back }
  })

  return {
    server,
    client,
    clientAuth,
    begin,
    walk,
    exchangeCode,
    finish,
    /** Walk and exchange. */
    signIn: Effect.fnUntraced(function* (email: string, extra?: Readonly<Record<string, string | undefined>>) {
      const { back, request } = yield* walk(email, extra)
      return yield* finish(request, back)
    }),
    refresh: (refreshToken: string) =>
      Effect.promise(async () =>
        oauth.processRefreshTokenResponse(
          server,
          client,
          await oauth.refreshTokenGrantRequest(server, client, clientAuth, refreshToken, insecure)
        )
      ),
    userinfo: (accessToken: string) =>
      Effect.promise(() => oauth.userInfoRequest(server, client, accessToken, insecure))
  }
})

/** The error that a promise is rejected with; a promise that is kept is a failed test. */
export const rejection = (evaluate: () => Promise<unknown>): Effect.Effect<unknown> =>
  Effect.promise(() =>
    evaluate().then(
      () => {
        throw new Error("expected a rejection")
      },
      (cause: unknown) => cause
    )
  )
