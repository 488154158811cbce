import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

import { type NoToken, ClerkSessionTokens, isFor } from "../access/ClerkSessionTokens.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { type ClerkSessionId, CurrentPrincipal, type OrganizationId, type Principal } from "../domain/Principal.ts"
import { type AppAnswer, read, settleRead, settleWrite } from "./AppAnswer.ts"
import {
  type AppApiError,
  log,
  otherOrganization,
  signInNeeded,
  unavailable,
  unexpected,
  unsettled
} from "./AppApiError.ts"
import { UserGrants } from "./UserGrants.ts"

/** How long the app may take for one answer. */
const timeout = Duration.seconds(10)
/** How long an app is left alone that could not answer, before it is asked once more. */
const pause = Duration.millis(300)
/** The longest that a write is put off because the app says so, in seconds. */
const longestRetryAfter = 5

/** The pauses between the tries of a write, unless the app names a longer time. */
const pauses = Schedule.exponential(pause).pipe(
  Schedule.setInputType<AppApiError>(),
  Schedule.jittered,
  Schedule.modifyDelay(({ duration, input: { reason } }) =>
    Effect.succeed(
      reason._tag === "AppUnavailable"
        ? Duration.max(duration, Duration.seconds(reason.retryAfterSeconds ?? 0))
        : duration
    )
  )
)

/** How often a write is tried again. */
const retries = 3

type Query = Readonly<Record<string, string>>

interface WriteOptions<A> {
  /** See `AppApi.json`. */
  readonly body?: Effect.Effect<string>
  readonly query?: Query
  /** Decodes the JSON of the answer. Without it the answer may be empty, and is not read. */
  readonly answer?: Schema.Decoder<A>
}

/**
 * Writes to a path of the app as the user of this request. Succeeds with any status from 200 to 299.
 *
 * The request carries an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), another one for each call. It is
 * tried again with the same key, up to three times, where no answer came and on 429, 502, 503 and 504; `Retry-After` is
 * kept to, and one of more than 5 s ends the tries. An app that knows the key carries it out once.
 */
type Write = <A = void>(
  path: `/${string}`,
  options?: WriteOptions<A>
) => Effect.Effect<A, AppApiError, CurrentPrincipal>

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
      query: Query,
      answer: Schema.Decoder<A>
    ) => Effect.Effect<A, AppApiError, CurrentPrincipal>
    readonly post: Write
    readonly put: Write
    readonly patch: Write
    readonly delete: Write
  }
>()("capability/AppApi") {
  /** A body of a write: the JSON of `value`. */
  static readonly json = <A, I>(schema: Schema.Codec<A, I>, value: A): Effect.Effect<string> =>
    Effect.catchTag(Schema.encodeEffect(Schema.fromJsonString(schema))(value), "SchemaError", () =>
      // The error of a schema repeats the value, which has no place in a log.
      Effect.die(new TypeError("not a value of the schema of the body"))
    )

  static readonly layerNoDeps = (appUrl: URL) =>
    Layer.effect(
      AppApi,
      Effect.gen(function* () {
        const tokens = yield* ClerkSessionTokens
        const connections = yield* UserGrants
        const random = yield* SecureRandom.SecureRandom
        // An answer that nobody reads to its end would hold its connection.
        const http = HttpClient.withScope(yield* HttpClient.HttpClient)

        /** The token goes to the app, and to no other place in it than the tool names. */
        const request = (method: "GET" | WriteMethod, path: string, query: Query) => {
          const url = new URL(path, appUrl)
          if (url.origin !== appUrl.origin) return Effect.die(new TypeError("a path of the app must stay in the app"))
          if (!isPlainPath(path)) {
            return Effect.die(
              new TypeError("a path has no ., .., ?, # or \\: encode its parts with encodeURIComponent")
            )
          }
          url.search = new URLSearchParams(query).toString()
          return Effect.succeed(HttpClientRequest.acceptJson(HttpClientRequest.make(method)(url)))
        }

        /** One answer, as far as it is of use. A redirect, as to a sign-in page, is an answer and not followed. */
        const attempt = (asked: HttpClientRequest.HttpClientRequest, token: Redacted.Redacted) =>
          http.execute(HttpClientRequest.bearerToken(asked, token)).pipe(
            Effect.flatMap(read),
            Effect.scoped,
            // Not in the layer of the client, which is shared with whoever else calls somebody.
            Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
            Effect.catchTag("HttpClientError", () => unavailable("no answer")),
            Effect.timeoutOrElse({ duration: timeout, orElse: () => unavailable("no answer in time") })
          )

        /** Clerk knows best whether the session is alive. Whoever called has to sign in again if it is not. */
        const unproven = Effect.fnUntraced(function* ({ userId, grantId }: Principal, { reason }: NoToken) {
          if (reason._tag === "ClerkSessionEnded") {
            yield* Effect.ignore(connections.end(userId, grantId))
            return yield* signInNeeded(true)
          }
          yield* Effect.logWarning("No token for the app").pipe(Effect.annotateLogs({ reason }))
          return yield* reason._tag === "ClerkUnavailable"
            ? unavailable("no token from Clerk")
            : unexpected("Clerk gives no token for it")
        })

        /**
         * A token for what the grant is for. Whoever has just switched in the app would wait for the old token to expire:
         * another one is asked for, once.
         */
        const tokenOf = Effect.fnUntraced(function* (id: ClerkSessionId, organizationId: OrganizationId | undefined) {
          const token = yield* tokens.current(id)
          if (isFor(token, organizationId)) return token
          const newer = yield* tokens.renewed(id, token)
          return isFor(newer, organizationId) ? newer : yield* otherOrganization(organizationId === undefined)
        })

        /** Sends as the user; with another token, once, where the app refuses the first one. */
        const asUser = Effect.fnUntraced(function* (
          send: (token: Redacted.Redacted) => Effect.Effect<AppAnswer, AppApiError>
        ) {
          const principal = yield* CurrentPrincipal
          const { clerkSessionId, organizationId } = principal
          if (clerkSessionId === undefined) return yield* signInNeeded(false)
          const proven = (token: Effect.Effect<Redacted.Redacted, NoToken | AppApiError>) =>
            Effect.catchTag(token, "ClerkError", (error) => unproven(principal, error))
          const token = yield* proven(tokenOf(clerkSessionId, organizationId))
          const first = yield* send(token)
          if (first.status !== 401) return first
          const newer = yield* proven(tokens.renewed(clerkSessionId, token))
          return yield* isFor(newer, organizationId) ? send(newer) : otherOrganization(organizationId === undefined)
        })

        const write = (method: WriteMethod): Write => {
          const program = Effect.fn(`AppApi.${method.toLowerCase()}`)(function* <A>(
            path: string,
            options: WriteOptions<A> = {}
          ) {
            const { body, query = {}, answer } = options
            const key = `"${yield* random.uuidV4()}"`
            const empty = HttpClientRequest.setHeader(yield* request(method, path, query), "idempotency-key", key)
            const asked =
              body === undefined ? empty : HttpClientRequest.bodyText(empty, yield* body, "application/json")
            /** Whether the app may have carried it out without anybody hearing of it. */
            let lost = false
            const once = (token: Redacted.Redacted) =>
              attempt(asked, token).pipe(
                Effect.filterOrFail(
                  // So says an app that is still at an earlier try (draft, error scenarios).
                  ({ status }) => !(lost && status === 409),
                  () => unavailable("still at work on it", { status: 409 })
                ),
                Effect.tapError((error) => Effect.sync(() => void (lost ||= isLost(error))))
              )
            const answered = yield* asUser((token) =>
              Effect.retry(once(token), { while: isWorthRetrying, times: retries, schedule: pauses })
            ).pipe(Effect.mapError((error) => (lost ? unsettled(error) : error)))
            // An earlier try may have been carried out, whatever the app says of this user by now.
            if (lost && (answered.status === 401 || answered.status === 403)) {
              return yield* unsettled(unavailable("no answer", { status: answered.status }))
            }
            return yield* settleWrite(answered, answer)
          }, Effect.tapError(log))
          // Without a decoder for the answer, `A` is void.
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          return program as Write
        }

        return AppApi.of({
          get: Effect.fn("AppApi.get")(function* (path, query, answer) {
            const asked = yield* request("GET", path, query)
            const answered = yield* asUser((token) =>
              Effect.retry(attempt(asked, token), { while: isPassing, times: 1, schedule: Schedule.spaced(pause) })
            )
            return yield* settleRead(answered, answer)
          }, Effect.tapError(log)),
          post: write("POST"),
          put: write("PUT"),
          patch: write("PATCH"),
          delete: write("DELETE")
        })
      })
    )

  /** The app at this origin. */
  static readonly layer = (appUrl: URL) =>
    Layer.provide(this.layerNoDeps(appUrl), [FetchHttpClient.layer, SecureRandom.layerWebCrypto])

  /** The app of the settings. Where there is none, there must be no tool that calls it: `Catalogue.whenApp` sees to that. */
  static readonly layerOfSettings = Layer.unwrap(
    Effect.map(AppConfig, ({ APP_URL: appUrl }) => {
      if (appUrl !== undefined) return AppApi.layer(appUrl)
      const nowhere = () => Effect.die(new TypeError("APP_URL is not set"))
      return Layer.succeed(AppApi, { get: nowhere, post: nowhere, put: nowhere, patch: nowhere, delete: nowhere })
    })
  )
}

/** Whether a path leads where it seems to: URL parsers resolve dots, drop tabs and line breaks, and read a backslash as /. */
const isPlainPath = (path: string): boolean =>
  !/[?#\\\p{Cc}]/u.test(path) && !path.split("/").some((part) => /^(?:\.|%2e){1,2}$/iu.test(part))

type WriteMethod = "POST" | "PUT" | "PATCH" | "DELETE"

/** Worth another attempt: the app was quick to say that it cannot. */
const isPassing = ({ reason }: AppApiError) =>
  reason._tag === "AppUnavailable" && reason.problem !== "no answer in time"

/** Of a write. An app that failed with 500 would most likely fail again, and one that is slow was waited for already. */
const isWorthRetrying = ({ reason }: AppApiError) =>
  reason._tag === "AppUnavailable" &&
  (reason.problem !== "an error" || [502, 503, 504].includes(reason.status ?? 0)) &&
  reason.problem !== "no answer in time" &&
  (reason.retryAfterSeconds ?? 0) <= longestRetryAfter

/** Whether the app may have carried out what it was asked, all the same. */
const isLost = ({ reason }: AppApiError) =>
  reason._tag === "AppUnavailable" && reason.problem !== "too many requests" && reason.problem !== "no token from Clerk"
