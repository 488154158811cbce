import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { EventEmitter } from "node:events"
import Provider, { errors, type InteractionResults } from "oidc-provider"
import { ClerkSessions } from "../ClerkSessions.ts"
import { Directory } from "../Directory.ts"
import { randomSecret } from "../Ids.ts"
import { KeyRing } from "../KeyRing.ts"
import { Organizations } from "../Organizations.ts"
import { OAuthApplications } from "../OAuthApplications.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { authorizeDecision, withoutIssuer } from "./AuthorizeRules.ts"
import { IdTokens } from "./IdTokens.ts"
import { OAuthRecords } from "./OAuthRecords.ts"
import { oidcConfiguration, routes } from "./OidcConfiguration.ts"
import { userClaims } from "./UserClaims.ts"

/** The sign-in that a browser was sent to is unknown, finished or too old. */
export class SignInExpired extends Schema.TaggedError<SignInExpired>()("SignInExpired", {}) {}

/** An authorization request that waits for a person. */
export interface PendingSignIn {
  readonly clientId: string
  readonly loginHint: string | undefined
}

/** Clerk's OAuth server: oidc-provider behind Clerk's own rules. */
export class OAuthServer extends Context.Service<
  OAuthServer,
  {
    /** Lets oidc-provider answer the current request by itself, on Node's response object. */
    readonly handle: Effect.Effect<void, never, HttpServerRequest.HttpServerRequest>
    readonly pendingSignIn: Effect.Effect<PendingSignIn, SignInExpired, HttpServerRequest.HttpServerRequest>
    /** Resumes the authorization request. Answers where to send the browser. */
    readonly finishSignIn: (
      outcome: { readonly userId: string } | "cancelled"
    ) => Effect.Effect<string, SignInExpired, HttpServerRequest.HttpServerRequest>
  }
>()("dev/clerk/oauth/OAuthServer") {
  static readonly layer = Layer.effect(
    OAuthServer,
    Effect.gen(function* () {
      const settings = yield* StandInSettings
      const directory = yield* Directory
      const sessions = yield* ClerkSessions
      const organizations = yield* Organizations
      const applications = yield* OAuthApplications
      const records = yield* OAuthRecords
      const idTokens = yield* IdTokens
      const keys = yield* KeyRing
      const run = Effect.runPromiseWith(yield* Effect.context())

      const provider = new Provider(
        settings.origin,
        oidcConfiguration({
          adapter: records.adapter,
          signingKey: yield* keys.currentPrivateJwk,
          findAccount: (_ctx, userId) =>
            run(
              Effect.gen(function* () {
                const found = yield* directory.findInGoodStanding(userId)
                if (Option.isNone(found)) return undefined
                const user = found.value
                const [newest] = yield* organizations.membershipsOf(user.id)
                return {
                  accountId: user.id,
                  claims: (_use: string, scope: string) => ({
                    ...userClaims(user, newest?.organization, new Set(scope.split(" ")), settings.origin),
                    sub: user.id
                  })
                }
              })
            ),
          isSignedIn: (sessionId, userId) =>
            run(
              Effect.map(sessions.find(sessionId ?? ""), (found) =>
                Option.exists(found, (session) => session.status === "active" && session.userId === userId)
              )
            )
        })
      )

      // Clerk's opaque access tokens are told apart from JWTs by this prefix; @clerk/backend looks for it.
      // The inherited method also settles the token's format, so it still has to run.
      const generate: unknown = Reflect.get(provider.AccessToken.prototype, "generateTokenId")
      Object.defineProperty(provider.AccessToken.prototype, "generateTokenId", {
        value(this: unknown) {
          if (Predicate.isFunction(generate)) Reflect.apply(generate, this, [])
          return `oat_${randomSecret(32)}`
        }
      })

      // Koa would print the error, which may quote the request; its name says enough to go looking.
      const report = (error: Error) => void run(Effect.logError(`The OAuth server failed: ${error.name}`))
      const koaEvents: EventEmitter = provider
      koaEvents.on("error", report)
      provider.on("server_error", (_ctx, error) => report(error))

      provider.use(async (ctx, next) => {
        if (ctx.path === routes.authorization && ctx.method === "GET") {
          const decision = await run(authorizeDecision(new URLSearchParams(ctx.querystring), applications))
          if (decision.kind === "refuse") {
            ctx.status = 303
            ctx.redirect(decision.location)
            return
          }
          ctx.querystring = decision.querystring
        }
        await next()
        const location = ctx.res.getHeader("location")
        if (Predicate.isString(location) && !location.startsWith(`${settings.origin}/`)) {
          ctx.set("location", withoutIssuer(location))
        }
        const body: unknown = ctx.body
        if (ctx.status !== 200 || !Predicate.isObject(body)) return
        if (ctx.path === routes.token && "id_token" in body) {
          const { id_token, ...others } = body
          const reissued = await run(idTokens.reissue(String(id_token)))
          ctx.body = Option.isSome(reissued) ? { ...others, id_token: reissued.value } : others
        }
        if (ctx.path === routes.introspection) {
          const { active, client_id, iat, scope, sub } = { ...unknownInfo, ...body }
          ctx.body = active ? { active, client_id, iat, scope, sub } : { active: false }
        }
      })

      const callback = provider.callback()

      /** oidc-provider signals everything about a lost sign-in by this one class; the rest are defects. */
      const interaction = <A>(evaluate: () => Promise<A>): Effect.Effect<A, SignInExpired> =>
        Effect.promise(evaluate).pipe(
          Effect.catchDefect((cause) =>
            cause instanceof errors.SessionNotFound ? Effect.fail(new SignInExpired()) : Effect.die(cause)
          )
        )

      const exchange = Effect.map(HttpServerRequest.HttpServerRequest, (request) => ({
        req: NodeHttpServerRequest.toIncomingMessage(request),
        res: NodeHttpServerRequest.toServerResponse(request)
      }))

      return OAuthServer.of({
        handle: Effect.flatMap(exchange, ({ req, res }) => Effect.promise(() => callback(req, res))),
        pendingSignIn: Effect.gen(function* () {
          const { req, res } = yield* exchange
          const details = yield* interaction(() => provider.interactionDetails(req, res))
          const hint = details.params["login_hint"]
          return {
            clientId: String(details.params["client_id"]),
            loginHint: Predicate.isString(hint) ? hint : undefined
          }
        }),
        finishSignIn: Effect.fnUntraced(function* (outcome) {
          const { req, res } = yield* exchange
          const details = yield* interaction(() => provider.interactionDetails(req, res))
          const result: InteractionResults =
            outcome === "cancelled"
              ? { error: "access_denied", error_description: "The person cancelled the sign-in." }
              : { login: { accountId: outcome.userId } }
          const returnTo = yield* interaction(() => provider.interactionResult(req, res, result))
          const uid = details.session?.uid
          if (outcome !== "cancelled" && uid !== undefined) {
            // Another person signs in on the same browser: oidc-provider would show its log-out page in between.
            yield* interaction(async () => {
              const browser = await provider.Session.findByUid(uid)
              if (browser === undefined || browser.accountId === outcome.userId) return
              browser.authorizations = {}
              browser.accountId = outcome.userId
              await browser.persist()
            })
          }
          return returnTo
        })
      })
    })
  )
}

const unknownInfo = { active: false, client_id: undefined, iat: undefined, scope: undefined, sub: undefined }
