import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Stopped } from "../Stopped.ts"

/** Pages of Clerk's dashboard, for the application that was opened there last. */
export const dashboard = (page: string): string => `https://dashboard.clerk.com/~/${page}`

/** Clerk's own address of the Backend API, where no other is set. */
export const clerkApi = "https://api.clerk.com"

const ClerkErrors = Schema.Struct({
  errors: Schema.Array(
    Schema.Struct({ code: Schema.optionalKey(Schema.String), long_message: Schema.optionalKey(Schema.String) })
  )
})
const decodeErrors = Schema.decodeUnknownEffect(ClerkErrors)

const whatFor = (status: number, apiUrl: string, code: string, words: string): Stopped => {
  const said = `${status}${code === "" ? "" : `, ${code}`}${words === "" ? "" : `: ${words}`}`
  switch (status) {
    case 401:
      return new Stopped({
        problem: `Clerk does not take this secret key (${said}).`,
        next: `copy the secret key of your instance anew from ${dashboard("api-keys")} and run setup again.`
      })
    case 403:
      return new Stopped({
        problem: `Clerk refuses this secret key something that setup needs (${said}).`,
        next: `use a key that may read the instance and manage OAuth applications: ${dashboard("api-keys")}`
      })
    case 429:
      return new Stopped({
        problem: `Clerk has had too many requests with this key (${said}).`,
        next: "wait a minute and run setup again: it goes on where it stopped."
      })
    default:
      return status >= 500
        ? new Stopped({
            problem: `Clerk's Backend API at ${apiUrl} fails (${said}).`,
            next: "look at https://status.clerk.com, and run setup again when it is over: it goes on where it stopped."
          })
        : new Stopped({
            problem: `Clerk refuses a request of setup's (${said}).`,
            next: "mend what it names, and run setup again: it goes on where it stopped."
          })
  }
}

export type Method = "GET" | "POST" | "PATCH"

export interface ClerkBackend {
  /** One request of the Backend API (version 2026-05-12), its answer decoded. Reads are tried again for some seconds. */
  readonly ask: <A>(
    method: Method,
    path: string,
    answer: Schema.Decoder<A>,
    body?: Readonly<Record<string, Schema.Json>>
  ) => Effect.Effect<A, Stopped>
}

/** The Backend API at this address, with this secret key. */
export const clerkBackend = Effect.fnUntraced(function* (apiUrl: string, secretKey: Redacted.Redacted) {
  const http = yield* HttpClient.HttpClient
  const patient = http.pipe(
    HttpClient.retryTransient({
      retryOn: "errors-and-responses",
      schedule: Schedule.exponential("500 millis"),
      times: 3
    })
  )
  const ask: ClerkBackend["ask"] = Effect.fnUntraced(function* (method, path, answer, body) {
    const request = HttpClientRequest.make(method)(`${apiUrl}/v1${path}`).pipe(
      HttpClientRequest.bearerToken(secretKey),
      HttpClientRequest.setHeader("clerk-api-version", "2026-05-12"),
      HttpClientRequest.acceptJson,
      (one) => (body === undefined ? one : HttpClientRequest.bodyJsonUnsafe(one, body))
    )
    // What creates is sent once: whether it was received before its answer got lost cannot be known.
    const response = yield* (method === "GET" ? patient : http).execute(request).pipe(
      Effect.timeout("30 seconds"),
      Effect.mapError(
        () =>
          new Stopped({
            problem: `Clerk's Backend API does not answer at ${apiUrl}.`,
            next:
              apiUrl === clerkApi
                ? "look whether this machine is online, or behind a proxy, and at https://status.clerk.com; then run setup again: it goes on where it stopped."
                : "start the stand-in that CLERK_API_URL names, or unset it, in the environment or in wrangler.jsonc."
          })
      )
    )
    if (response.status >= 400) {
      const { errors } = yield* Effect.flatMap(response.json, decodeErrors).pipe(
        Effect.orElseSucceed((): typeof ClerkErrors.Type => ({ errors: [] }))
      )
      return yield* whatFor(response.status, apiUrl, errors[0]?.code ?? "", errors[0]?.long_message ?? "")
    }
    return yield* HttpClientResponse.schemaBodyJson(answer)(response).pipe(
      Effect.mapError(
        () =>
          new Stopped({
            problem: `${apiUrl}/v1${path} answers otherwise than Clerk's Backend API does.`,
            next: "unset CLERK_API_URL (in the environment or in wrangler.jsonc), which is for a stand-in only, or take a newer version of this package."
          })
      )
    )
  })
  return { ask } satisfies ClerkBackend
})
