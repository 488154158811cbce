import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import { type NoToken, ClerkSessionTokens } from "../access/ClerkSessionTokens.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { CurrentPrincipal, type Principal } from "../domain/Principal.ts"
import { UserGrants } from "./UserGrants.ts"

/** The connection cannot act in the app: it was made without a session, or the session has ended. */
class SignInNeeded extends Schema.TaggedError<SignInNeeded>()("SignInNeeded", { ended: Schema.Boolean }) {
  override get message(): string {
    const further = this.ended ? "" : " If that does not help, its operator has to look into it."
    return `This connection has no living session in the app. Connect again to sign in.${further}`
  }
}

/** The app, or Clerk, which vouches for the user there, does not answer now. */
class AppUnavailable extends Schema.TaggedError<AppUnavailable>()("AppUnavailable", {
  problem: Schema.Literals(["no answer", "no answer in time", "too many requests", "an error", "no token from Clerk"])
}) {
  override get message(): string {
    return `The app cannot be reached right now (${this.problem}). Please try again in a moment.`
  }
}

/** The app answers this user 403. */
export class AppForbidden extends Schema.TaggedError<AppForbidden>()("AppForbidden", {}) {
  override readonly message = "The app does not allow you to do this."
}

/** The app and this server do not fit together: an operator has to look. `problem` says where. */
class AppUnexpected extends Schema.TaggedError<AppUnexpected>()("AppUnexpected", { problem: Schema.String }) {
  override get message(): string {
    return `The app did not answer as this server expects (${this.problem}). Its operator has to look into it.`
  }
}

/** Why the app did not do what it was asked. `message` is for the person who asked; it repeats nothing of the answer. */
export class AppApiError extends Schema.TaggedError<AppApiError>()("AppApiError", {
  reason: Schema.Union([SignInNeeded, AppUnavailable, AppForbidden, AppUnexpected])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** How long the app may take for one answer. */
const timeout = Duration.seconds(10)
/** How long an app is left alone that could not answer, before it is asked once more. */
const pause = Duration.millis(300)

/** The API of the team's own app. It is called as the user, with a token of the user's Clerk session. */
export class AppApi extends Context.Service<
  AppApi,
  {
    /**
     * Reads a path of the app as the user of this request, and decodes its JSON. A token that the app refuses (401) is
     * replaced once; a session that has ended ends the connection. Interrupting it aborts the request.
     */
    readonly get: <A>(
      path: `/${string}`,
      query: Readonly<Record<string, string>>,
      answer: Schema.Decoder<A>
    ) => Effect.Effect<A, AppApiError, CurrentPrincipal>
  }
>()("capability/AppApi") {
  static readonly layerNoDeps = (appUrl: URL) =>
    Layer.effect(
      AppApi,
      Effect.gen(function* () {
        const tokens = yield* ClerkSessionTokens
        const connections = yield* UserGrants
        // An answer that nobody reads to its end would hold its connection.
        const http = HttpClient.withScope(yield* HttpClient.HttpClient)

        /** A path such as "//elsewhere", which would carry the token out of the house, is a mistake of the tool's. */
        const request = (path: string, query: Readonly<Record<string, string>>) => {
          const url = new URL(path, appUrl)
          if (url.origin !== appUrl.origin) return Effect.die(new TypeError("a path of the app must stay in the app"))
          url.search = new URLSearchParams(query).toString()
          return Effect.succeed(HttpClientRequest.acceptJson(HttpClientRequest.get(url)))
        }

        /** Status and text of one answer. A redirect, as to a sign-in page, is an answer and not followed. */
        const attempt = (asked: HttpClientRequest.HttpClientRequest, token: Redacted.Redacted) =>
          http.execute(HttpClientRequest.bearerToken(asked, token)).pipe(
            Effect.flatMap(read),
            Effect.scoped,
            // Not in the layer of the client, which is shared with whoever else calls somebody.
            Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
            Effect.catchTag("HttpClientError", () => unavailable("no answer")),
            Effect.timeoutOrElse({ duration: timeout, orElse: () => unavailable("no answer in time") })
          )

        const send = (asked: HttpClientRequest.HttpClientRequest, token: Redacted.Redacted) =>
          Effect.retry(attempt(asked, token), { while: isPassing, times: 1, schedule: Schedule.spaced(pause) })

        /** Clerk knows best whether the session is alive. Whoever called has to sign in again if it is not. */
        const unproven = Effect.fnUntraced(function* ({ userId, grantId }: Principal, { reason }: NoToken) {
          if (reason._tag === "ClerkSessionEnded") {
            yield* Effect.ignore(connections.end(userId, grantId))
            return yield* failed(new SignInNeeded({ ended: true }))
          }
          yield* Effect.logWarning("No token for the app").pipe(Effect.annotateLogs({ reason }))
          return yield* reason._tag === "ClerkUnavailable"
            ? unavailable("no token from Clerk")
            : failed(new AppUnexpected({ problem: "Clerk gives no token for it" }))
        })

        return AppApi.of({
          get: Effect.fn("AppApi.get")(function* (path, query, answer) {
            const principal = yield* CurrentPrincipal
            const { clerkSessionId } = principal
            if (clerkSessionId === undefined) return yield* failed(new SignInNeeded({ ended: false }))
            const asked = yield* request(path, query)
            const proven = (token: Effect.Effect<Redacted.Redacted, NoToken>) =>
              Effect.catchTag(token, "ClerkError", (error) => unproven(principal, error))
            const token = yield* proven(tokens.current(clerkSessionId))
            const first = yield* send(asked, token)
            const { status, isJson, text } =
              first.status === 401 ? yield* send(asked, yield* proven(tokens.renewed(clerkSessionId, token))) : first
            if (status === 403) return yield* failed(new AppForbidden())
            if (status !== 200) return yield* failed(new AppUnexpected({ problem: `status ${status}` }))
            if (!isJson) return yield* failed(new AppUnexpected({ problem: "no JSON" }))
            return yield* Effect.mapError(Schema.decodeEffect(Schema.fromJsonString(answer))(text), () =>
              failed(new AppUnexpected({ problem: "other JSON than agreed" }))
            )
          }, Effect.tapError(log))
        })
      })
    )

  /** The app at this origin. */
  static readonly layer = (appUrl: URL) => Layer.provide(this.layerNoDeps(appUrl), FetchHttpClient.layer)

  /** The app of the settings. Where there is none, there must be no tool that calls it: `whenApp` sees to that. */
  static readonly layerOfSettings = Layer.unwrap(
    Effect.map(AppConfig, ({ APP_URL: appUrl }) =>
      appUrl === undefined
        ? Layer.succeed(AppApi, AppApi.of({ get: () => Effect.die(new TypeError("APP_URL is not set")) }))
        : AppApi.layer(appUrl)
    )
  )
}

/** The first of two layers for a server with an app behind it (`APP_URL`), the second for one without. */
export const whenApp = <A, E, R>(
  withApp: Layer.Layer<A, E, R>,
  without: Layer.Layer<A, E, NoInfer<R>>
): Layer.Layer<A, E, R | AppConfig> =>
  Layer.unwrap(Effect.map(AppConfig, ({ APP_URL: appUrl }) => (appUrl === undefined ? without : withApp)))

const failed = (reason: AppApiError["reason"]) => new AppApiError({ reason })

/** What an operator has to see. The other reasons are the person's own. */
const log = ({ reason }: AppApiError) =>
  reason._tag === "AppUnavailable" || reason._tag === "AppUnexpected"
    ? Effect.annotateLogs(Effect.logWarning("The app did not answer as it should"), { problem: reason.problem })
    : Effect.void

const unavailable = (problem: AppUnavailable["problem"]) => failed(new AppUnavailable({ problem }))

/** Worth another attempt: the app was quick to say that it cannot. */
const isPassing = ({ reason }: AppApiError) =>
  reason._tag === "AppUnavailable" && reason.problem !== "no answer in time"

/** The most that an answer may have, in bytes. An isolate has little memory, and many users. */
const longestAnswer = 4 * 1024 * 1024

const textOf = (response: HttpClientResponse.HttpClientResponse) =>
  response.stream.pipe(
    Stream.mapAccumEffect(
      () => 0,
      (sum, chunk) => {
        const bytes = sum + chunk.length
        return bytes > longestAnswer
          ? Effect.fail(failed(new AppUnexpected({ problem: "an answer of more than 4 MiB" })))
          : Effect.succeed([bytes, [chunk]] as const)
      }
    ),
    Stream.decodeText(),
    Stream.mkString
  )

const read = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  const { status, headers } = response
  if (status === 429) return yield* unavailable("too many requests")
  if (status >= 500) return yield* unavailable("an error")
  const isJson = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/iu.test(headers["content-type"] ?? "")
  return { status, isJson, text: status === 200 && isJson ? yield* textOf(response) : "" }
})
