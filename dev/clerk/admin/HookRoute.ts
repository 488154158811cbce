import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Schema from "effect/Schema"
import { type BackendApiError, invalidParameter, notFound, refusal } from "../backend-api/BackendApiError.ts"
import { body } from "../backend-api/Endpoint.ts"
import { clerkErrors } from "../ClerkErrorBody.ts"
import { StandInSettings } from "../StandInOptions.ts"
import type { WebhooksOff } from "../webhooks/Webhooks.ts"
import type { HookRefused, UnknownSubject } from "./HookError.ts"

type HookError = UnknownSubject | HookRefused | WebhooksOff | BackendApiError

/**
 * The hooks have no authentication. A page from elsewhere must not reach them through a browser on the same machine:
 * the Host has to be the stand-in's own, and a POST has to be JSON, which a browser does not send without a preflight.
 */
const guarded = <R>(host: string, handler: Effect.Effect<Schema.Json, HookError, R>) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const isJson = request.headers["content-type"]?.startsWith("application/json") === true
    if (request.headers["host"] !== host || (request.method === "POST" && !isJson)) {
      return clerkErrors(403, [
        {
          message: "refused",
          longMessage: "Hooks answer to the stand-in's own host name and to application/json only.",
          code: "stand_in_hook_refused"
        }
      ])
    }
    return HttpServerResponse.jsonUnsafe(yield* handler)
  }).pipe(
    Effect.catchTags({
      BackendApiError: (error) => Effect.succeed(refusal(error)),
      UnknownSubject: ({ id, what }) => Effect.succeed(refusal(notFound(what, id))),
      HookRefused: ({ explanation, parameter }) => Effect.succeed(refusal(invalidParameter(parameter, explanation))),
      WebhooksOff: () => Effect.succeed(refusal(invalidParameter("url", "there is no address to send to")))
    })
  )

/** Adds hooks to a router, under `/_stand-in`. */
export const hookRoutes = (router: HttpRouter.HttpRouter) =>
  Effect.map(StandInSettings, ({ origin }) => {
    const { host } = new URL(origin)
    return {
      get: <R>(path: string, handler: Effect.Effect<Schema.Json, HookError, R>) =>
        router.add("GET", `/_stand-in/${path}`, guarded(host, handler)),
      post: <A, I>(
        path: string,
        schema: Schema.Codec<A, I>,
        operation: (input: A) => Effect.Effect<Schema.Json, HookError>
      ) => router.add("POST", `/_stand-in/${path}`, guarded(host, Effect.flatMap(body(schema), operation)))
    }
  })

/** What a hook answers that has nothing to tell. */
export const done = <A, E>(effect: Effect.Effect<A, E>) => Effect.as(effect, { done: true })
