import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"

import { Access } from "./access/Access.ts"
import { SessionTokens } from "./access/SessionTokens.ts"
import { AccountAgents } from "./agent/AccountAgents.ts"
import * as AccountChanges from "./agent/AccountChanges.ts"
import * as AccountEndings from "./agent/AccountEndings.ts"
import * as AccountFacts from "./agent/AccountFacts.ts"
import { ClerkApi } from "./clerk/ClerkApi.ts"
import { ClerkJwt } from "./clerk/ClerkJwt.ts"
import { ClerkOAuth } from "./clerk/ClerkOAuth.ts"
import { AppConfig } from "./config/AppConfig.ts"
import { KeepAlive } from "./config/KeepAlive.ts"
import { answerHeaders } from "./http/AnswerHeaders.ts"
import { Idempotency } from "./http/Idempotency.ts"
import { misconfigured } from "./http/Misconfigured.ts"
import { routes } from "./http/Routes.ts"
import { Offer, ServerFactory } from "./mcp/ServerFactory.ts"
import { StatelessLane } from "./mcp/StatelessLane.ts"
import { ToolCalls } from "./mcp/ToolCalls.ts"
import * as AppSignIn from "./oauth/AppSignIn.ts"
import { AuthorizationServer } from "./oauth/AuthorizationServer.ts"
import * as ClerkSignIn from "./oauth/ClerkSignIn.ts"
import * as Grants from "./oauth/Grants.ts"
import { OAuthStorage } from "./oauth/OAuthStorage.ts"
import type { SignIn } from "./oauth/SignIn.ts"
import { StateSigner } from "./oauth/StateSigner.ts"
import * as Log from "./observability/Log.ts"
import { AppApi } from "./capability/AppApi.ts"
import type { Connections } from "./capability/Connections.ts"
import { ImageGenerator } from "../tools/ImageGenerator.ts"
import * as Tools from "../tools/Tools.ts"

/** The outside world: Clerk, the store, the image model. What a test swaps. */
export const Outside = Layer.mergeAll(
  ClerkApi.layer,
  ClerkJwt.layer,
  Layer.unwrap(
    Effect.map(AppConfig, (config) =>
      config.SIGN_IN === "clerk"
        ? ClerkOAuth.layer({ clientId: config.CLERK_CLIENT_ID, clientSecret: config.CLERK_CLIENT_SECRET })
        : ClerkOAuth.layerUnused
    )
  ),
  OAuthStorage.layer,
  Layer.unwrap(
    Effect.map(AppConfig, ({ IMAGE_GENERATOR, AI }) =>
      IMAGE_GENERATOR === "workers-ai" && AI !== undefined
        ? ImageGenerator.layerWorkersAi(AI)
        : ImageGenerator.layerPlaceholder
    )
  )
)

/** Who may do what, and what ends when they may no more. */
const Authority = AuthorizationServer.layer.pipe(
  Layer.provide(AccountEndings.layer),
  Layer.provideMerge(Layer.mergeAll(StateSigner.layer, Access.layer, SessionTokens.layer, AccountAgents.layer))
)

type Proof = Access | AppConfig | AuthorizationServer | ClerkApi | ClerkJwt | ClerkOAuth | StateSigner

/** Who may do what, and how they prove it. */
const Authorization = Layer.unwrap(
  Effect.map(AppConfig, (config): Layer.Layer<SignIn, never, Proof> =>
    config.SIGN_IN === "clerk" ? ClerkSignIn.layer : AppSignIn.layer(config.APP_URL)
  )
).pipe(Layer.provideMerge(Authority))

/** Everything that clients can use: tools with what they need, resources and prompts. */
type Catalogue = Layer.Layer<ToolCalls | Offer, never, AppConfig | Connections | ImageGenerator | SessionTokens>

/** The tools of this server. Those that call the team's app are there if it has one. */
const catalogue: Catalogue = Layer.unwrap(
  Effect.map(AppConfig, ({ APP_URL: appUrl }) =>
    appUrl === undefined
      ? Layer.provide(ToolCalls.layer(Tools.toolkit), Tools.layer)
      : ToolCalls.layer(Tools.toolkitWithApp).pipe(
          Layer.provide(Tools.layerWithApp),
          Layer.provide(AppApi.layer(appUrl))
        )
  )
).pipe(Layer.merge(Layer.succeed(Offer, Tools.offer)))

/** A catalogue as servers of the protocol: the same ones in every lane. */
const servers = (offered: Catalogue) => ServerFactory.layer.pipe(Layer.provide(offered), Layer.provide(Grants.layer))

/** Requests that stand for themselves are served here, those of sessions by the object of their user. */
const lanes = (offered: Catalogue) =>
  StatelessLane.layer.pipe(
    Layer.provide(servers(offered).pipe(Layer.provide(AccountFacts.layer))),
    Layer.provide(AccountChanges.layer)
  )

/** The whole application on a given outside world, with a given catalogue. */
export const application = <E, R>(
  outside: Layer.Layer<Layer.Success<typeof Outside>, E, R>,
  offered: Catalogue = catalogue
) =>
  Layer.merge(routes, answerHeaders).pipe(
    Layer.provideMerge(Idempotency.layer),
    Layer.provideMerge(lanes(offered)),
    Layer.provideMerge(Authorization),
    Layer.provideMerge(outside)
  )

/** What the object of a user needs to host sessions, built from the object's environment. */
export const account = (env: Readonly<Record<string, unknown>>, offered: Catalogue = catalogue) =>
  Layer.mergeAll(servers(offered), SecureRandom.layerWebCrypto).pipe(
    Layer.provideMerge(Authority),
    Layer.provideMerge(Outside),
    Layer.provideMerge(Layer.effect(AppConfig, AppConfig.decode(env))),
    Layer.provideMerge(Log.layer),
    // The Worker serves nothing but a list of what is missing, so that no object is ever reached without settings.
    Layer.orDie
  )

/**
 * The application as a host runs it, built once from the host's environment. Settings that are missing or malformed
 * make it one page that names them. `keepAlive` is the host's `waitUntil`; a test offers a catalogue of its own.
 */
export const handler = (
  env: Readonly<Record<string, unknown>>,
  keepAlive: (work: Promise<unknown>) => void,
  offered: Catalogue = catalogue
): ((request: Request) => Promise<Response>) => {
  const host = Layer.merge(Log.layer, Layer.succeed(KeepAlive, keepAlive))
  const options = { disableLogger: true }
  return Effect.runSync(
    Effect.match(AppConfig.decode(env), {
      onFailure: (error) =>
        HttpRouter.toWebHandler(Layer.provideMerge(Layer.merge(misconfigured(error), answerHeaders), host), options),
      onSuccess: (config) =>
        HttpRouter.toWebHandler(
          application(Outside, offered).pipe(
            Layer.provideMerge(Layer.succeed(AppConfig, config)),
            Layer.provideMerge(host)
          ),
          options
        )
    })
  ).handler
}
