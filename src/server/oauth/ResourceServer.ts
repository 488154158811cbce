import { insufficientScope, OAuthResourceServer } from "@cloudflare/workers-oauth-provider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import type { Caller } from "../access/Caller.ts"
import { Lru } from "../access/Lru.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { UserId } from "../domain/Principal.ts"
import * as Scope from "../domain/Scope.ts"
import * as Incident from "../observability/Incident.ts"
import * as Log from "../observability/Log.ts"
import { type Admission, type Bearer, parseToken } from "./Admission.ts"
import { OAuthLibrary } from "./OAuthLibrary.ts"
import { address, type Resource } from "./Resource.ts"

/**
 * What the user's object said of a request's token. Where it served the request in the same call, because the token was
 * good and carries the baseline scope, `answer` holds what came of it.
 */
export type Asked<A> = Admission & { readonly answer?: A }

/** How requests of a resource are served. */
export interface Protected<A, R> {
  /**
   * Has the token checked by the object of the user whom it names. Succeeds with a response where the client gets that
   * instead, whatever its token.
   */
  readonly ask: (userId: UserId, bearer: Bearer) => Effect.Effect<Asked<A> | Response, never, R>
  /** Answers the client, whose token is good and carries the baseline scope. */
  readonly serve: (caller: Caller, answer: A | undefined) => Effect.Effect<Response, never, R>
}

/** Handed along with each request. */
interface ResourceEnv {
  readonly ask: (bearer: Bearer) => Promise<Admission>
  readonly serve: (caller: Caller) => Promise<Response>
}

/** What the library hands from the token to the handler. */
interface Props {
  readonly caller: Caller
}

const decodeUserId = Schema.decodeUnknownOption(UserId)

/** How many lines a minute and an isolate tell of tokens that nobody was given: anybody can send them. */
const mostStrangers = 30

/** The same of tokens that somebody was given, or that cannot be judged: a client may send one over and over. */
const mostKnown = 300

/** One protected resource: its metadata (RFC 9728), bearer tokens and their challenges (RFC 6750), the baseline scope. */
const makeResource = (publicUrl: URL, resource: Resource) =>
  new OAuthResourceServer<ResourceEnv, Props>({
    resourceMetadata: { resource: address(publicUrl, resource), authorization_servers: [publicUrl.origin] },
    requiredScopes: [Scope.baseline],
    validateToken:
      ({ ask }) =>
      async (audience, token) => {
        const admission = await ask({ token, resource: audience })
        if (admission._tag === "NotAdmitted") return null
        // The library answers 503 to what it is thrown.
        if (admission._tag === "AdmissionUnknown") throw new Error(admission.reason)
        const { caller, expiresAt } = admission
        const { userId, clientId, scopes } = caller.principal
        return { audience, expiresAt, userId, clientId, scope: [...scopes], props: { caller } }
      },
    handler: {
      fetch: (_request, env, { auth, props }) =>
        auth.scope.includes(Scope.baseline) ? env.serve(props.caller) : insufficientScope(auth, [Scope.baseline])
    }
  })

/** How many resources are held: those of organizations are made when they are asked for. */
const mostResources = 100

/** The resource server: who sent a request, or the challenge for whoever has no good token. */
export class ResourceServer extends Context.Service<
  ResourceServer,
  {
    /** Answers with the metadata of a resource (RFC 9728), wherever it was asked for. */
    readonly metadata: (resource: Resource, request: Request) => Effect.Effect<Response>
    /**
     * Serves a request only with an access token for this resource that carries the baseline scope. Answers 401 and 403
     * with their challenges otherwise (RFC 6750, RFC 9728).
     */
    readonly serve: <A, R>(
      resource: Resource,
      request: Request,
      served: Protected<A, R>
    ) => Effect.Effect<Response, never, R>
  }
>()("oauth/ResourceServer") {
  static readonly layer = Layer.effect(
    ResourceServer,
    Effect.gen(function* () {
      const { PUBLIC_URL: publicUrl } = yield* AppConfig
      const { freshContext } = yield* OAuthLibrary
      const resources = new Lru<Resource, ReturnType<typeof makeResource>>(mostResources)
      const at = (resource: Resource) => {
        const known = resources.get(resource) ?? makeResource(publicUrl, resource)
        resources.set(resource, known)
        return known
      }
      const ofStrangers = Log.bounded(mostStrangers)
      const ofKnown = Log.bounded(mostKnown)

      /** Tells the log why a token is refused. */
      const told = (resource: Resource, admission: Admission) => {
        if (admission._tag === "Admitted") return Effect.void
        if (admission._tag === "AdmissionUnknown") {
          const { reason } = admission
          const line = Effect.logWarning("An access token could not be judged")
          return ofKnown(Effect.annotateLogs(line, { reason, resource }))
        }
        const { reason, known } = admission
        const line = Effect.annotateLogs(Effect.logInfo("An access token was refused"), { reason, resource, ...known })
        return (known === undefined ? ofStrangers : ofKnown)(line)
      }

      return ResourceServer.of({
        metadata: (resource, request) => {
          const wellKnown = new URL(`/.well-known/oauth-protected-resource${resource}`, publicUrl)
          return Effect.promise(() => at(resource).fetch(new Request(wellKnown, request), nothing, freshContext()))
        },

        serve: <A, R>(resource: Resource, request: Request, served: Protected<A, R>) =>
          Effect.contextWith((context: Context.Context<R>) =>
            Effect.promise(async (signal) => {
              const run = Effect.runPromiseWith(context)
              let answer: A | undefined
              let instead: Response | undefined

              const asked = Effect.fnUntraced(function* (bearer: Bearer): Effect.fn.Return<Admission, never, R> {
                const userId = Option.getOrUndefined(decodeUserId(parseToken(bearer.token)?.userId))
                if (userId === undefined) return { _tag: "NotAdmitted", reason: "malformed" }
                const found = yield* served.ask(userId, bearer)
                if (found instanceof Response) {
                  instead = found
                  return { _tag: "AdmissionUnknown", reason: "the object of the user gave no answer" }
                }
                answer = found.answer
                return found
              })

              const env: ResourceEnv = {
                ask: (bearer) =>
                  run(
                    asked(bearer).pipe(
                      Effect.tap((admission) => (instead === undefined ? told(resource, admission) : Effect.void)),
                      // The library answers 503 to whatever it is thrown, and tells nobody.
                      Effect.tapCause((cause) => Incident.report("An access token could not be checked", cause))
                    ),
                    { signal }
                  ),
                serve: (caller) => run(served.serve(caller, answer), { signal })
              }
              const response = await at(resource).fetch(request, env, freshContext())
              return instead ?? response
            })
          )
      })
    })
  )
}

const nothing: ResourceEnv = {
  ask: async () => ({ _tag: "NotAdmitted", reason: "not asked for" }),
  serve: async () => new Response(null, { status: 404 })
}
