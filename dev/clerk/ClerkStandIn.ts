import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import { createServer, type Server } from "node:http"
import { adminRoutes } from "./admin/AdminRoutes.ts"
import { organizationHookRoutes } from "./admin/OrganizationHookRoutes.ts"
import { StandInAdmin } from "./admin/StandInAdmin.ts"
import { webhookHookRoutes } from "./admin/WebhookHookRoutes.ts"
import { avatarRoute } from "./Avatar.ts"
import { instanceRoutes } from "./backend-api/InstanceRoutes.ts"
import { oauthApplicationRoutes } from "./backend-api/OAuthApplicationRoutes.ts"
import { organizationRoutes } from "./backend-api/OrganizationRoutes.ts"
import { sessionRoutes } from "./backend-api/SessionRoutes.ts"
import { userRoutes } from "./backend-api/UserRoutes.ts"
import { Changes } from "./Changes.ts"
import { ClerkSessions } from "./ClerkSessions.ts"
import { demoUsers } from "./DemoUsers.ts"
import { developerRoutes } from "./developer/DeveloperRoutes.ts"
import { Directory } from "./Directory.ts"
import { Features } from "./Features.ts"
import { Faults, faultsMiddleware } from "./Faults.ts"
import { handshakeRoutes } from "./frontend-api/HandshakeRoutes.ts"
import { Handshakes } from "./frontend-api/Handshakes.ts"
import { hostedSignInRoutes } from "./frontend-api/HostedSignIn.ts"
import { KeyRing } from "./KeyRing.ts"
import { IdTokens } from "./oauth/IdTokens.ts"
import { OAuthApplications } from "./OAuthApplications.ts"
import { OAuthRecords } from "./oauth/OAuthRecords.ts"
import { oauthRoutes } from "./oauth/OAuthRoutes.ts"
import { OAuthServer } from "./oauth/OAuthServer.ts"
import { signInRoutes } from "./oauth/SignInRoutes.ts"
import { OrganizationRoles } from "./OrganizationRoles.ts"
import { Organizations } from "./Organizations.ts"
import { SessionTokens } from "./SessionTokens.ts"
import { StandInClock, wallClock } from "./StandInClock.ts"
import { demoOptions, publishableKeyOf, type StandInOptions, StandInSettings } from "./StandInOptions.ts"
import { Webhooks } from "./webhooks/Webhooks.ts"

/** The Worker's settings that point it at the stand-in, by the Worker's own names. */
export interface WorkerSettings {
  readonly CLERK_FRONTEND_API: string
  readonly CLERK_API_URL: string
  readonly CLERK_CLIENT_ID: string
  readonly CLERK_CLIENT_SECRET: string
  readonly CLERK_SECRET_KEY: string
  readonly CLERK_PUBLISHABLE_KEY: string
  readonly CLERK_JWT_TEMPLATE: string
}

const services = Layer.mergeAll(OAuthServer.layer, StandInAdmin.layer, Handshakes.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(OAuthRecords.layer, Webhooks.layer)),
  Layer.provideMerge(Layer.mergeAll(IdTokens.layer, Directory.layer, SessionTokens.layer)),
  Layer.provideMerge(Organizations.layer),
  Layer.provideMerge(
    Layer.mergeAll(
      ClerkSessions.layer,
      OrganizationRoles.layer,
      OAuthApplications.layer,
      KeyRing.layer,
      Faults.layer,
      Features.layer
    )
  ),
  Layer.provideMerge(Changes.layer),
  Layer.provideMerge(StandInClock.layer)
)

const routes = Layer.mergeAll(
  faultsMiddleware,
  oauthRoutes,
  signInRoutes,
  hostedSignInRoutes,
  handshakeRoutes,
  userRoutes,
  organizationRoutes,
  sessionRoutes,
  oauthApplicationRoutes,
  instanceRoutes,
  adminRoutes,
  organizationHookRoutes,
  webhookHookRoutes,
  avatarRoute,
  developerRoutes
)

const listening = (server: Server, options: StandInOptions) =>
  NodeHttpServer.layer(() => server, { port: options.port, host: options.host, disablePreemptiveShutdown: true })

/** Drops every connection. Closing a server would otherwise wait for the requests that are under way. */
const hangUp = (server: Server) =>
  Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections())))

/**
 * Clerk on a laptop: its OAuth server, both of its APIs and test hooks on one loopback origin, state in memory.
 * One layer is one instance; it stops with its scope.
 */
export class ClerkStandIn extends Context.Service<
  ClerkStandIn,
  {
    /** Origin and issuer, without a slash at its end. */
    readonly url: string
    readonly settings: WorkerSettings
    readonly users: typeof demoUsers
    readonly admin: StandInAdmin["Service"]
  }
>()("dev/clerk/ClerkStandIn") {
  static readonly layer = (overrides: Partial<StandInOptions> = {}) => {
    const options: StandInOptions = { ...demoOptions, ...overrides }

    const settings = Layer.effect(
      StandInSettings,
      Effect.gen(function* () {
        const server = yield* HttpServer.HttpServer
        const port = "port" in server.address ? server.address.port : options.port
        return { ...options, origin: `http://${options.host}:${port}` }
      })
    )

    const standIn = Layer.effect(
      ClerkStandIn,
      Effect.gen(function* () {
        const { clientId, clientSecret, instance, jwtTemplates, origin, secretKey } = yield* StandInSettings
        return {
          url: origin,
          settings: {
            CLERK_FRONTEND_API: origin,
            CLERK_API_URL: origin,
            CLERK_CLIENT_ID: clientId,
            CLERK_CLIENT_SECRET: clientSecret,
            CLERK_SECRET_KEY: secretKey,
            CLERK_PUBLISHABLE_KEY: publishableKeyOf(origin, instance),
            CLERK_JWT_TEMPLATE: Object.keys(jwtTemplates)[0] ?? ""
          },
          users: demoUsers,
          admin: yield* StandInAdmin
        }
      })
    )

    // Addresses carry codes and states: no access log.
    const served = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })

    return Layer.unwrap(
      Effect.sync(() => {
        const server = createServer()
        // What is built last is released first.
        return hangUp(server).pipe(
          Layer.provideMerge(Layer.merge(standIn, served)),
          // Fresh: two stand-ins in one runtime must not share their state.
          Layer.provide(Layer.fresh(services)),
          Layer.provide(settings),
          Layer.provide(listening(server, options)),
          Layer.provide(wallClock)
        )
      })
    )
  }
}
