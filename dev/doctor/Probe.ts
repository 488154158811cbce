import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpMethod } from "effect/http/HttpMethod"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/** No answer came from an address. `code` is the system's, such as `ECONNREFUSED`, or `timeout`. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", { code: Schema.String }) {}

/** What a server answered. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
  /** The body, where it is a JSON object and is called JSON. */
  readonly json: Readonly<Record<string, unknown>> | undefined
}

interface Request {
  readonly method?: HttpMethod
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

const timeout = Duration.seconds(15)

const decodeObject = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)))

/** The innermost code of an error and its causes. */
const codeOf = (error: unknown): string => {
  if (!Predicate.isObject(error)) return "failed"
  const inner = Predicate.hasProperty(error, "cause") ? codeOf(error.cause) : "failed"
  if (inner !== "failed") return inner
  return Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : "failed"
}

/** Asks an address as a client would, without following redirects. */
export const ask = Effect.fnUntraced(function* (
  url: string,
  { method = "GET", headers = {}, body }: Request = {}
): Effect.fn.Return<Answer, NoAnswer, HttpClient.HttpClient> {
  const request = HttpClientRequest.make(method)(url).pipe(
    HttpClientRequest.setHeaders(headers),
    body === undefined ? (same) => same : HttpClientRequest.bodyJsonUnsafe(body)
  )
  const answer = Effect.gen(function* () {
    const response = yield* HttpClient.execute(request)
    const text = yield* response.text
    const isJson = response.headers["content-type"]?.includes("json") === true
    const json = isJson ? Option.getOrUndefined(decodeObject(text)) : undefined
    return { status: response.status, headers: response.headers, text, json }
  })
  return yield* answer.pipe(
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
    Effect.timeout(timeout),
    Effect.mapError((error) => new NoAnswer({ code: error._tag === "TimeoutError" ? "timeout" : codeOf(error) }))
  )
})

/** What an answer has under a name, where that is a list of texts. */
export const listOf = ({ json }: Answer, name: string): ReadonlyArray<string> => {
  const value = json?.[name]
  return Array.isArray(value) ? value.filter(Predicate.isString) : []
}

/** What a page says above everything else, for a person who reads the finding. */
export const headline = ({ status, text, json }: Answer): string => {
  const said = json?.["error_description"] ?? json?.["error"] ?? /<h1[^<>]*>([^<]*)/u.exec(text)?.[1]
  return Predicate.isString(said) ? `${status}: ${said.trim()}` : String(status)
}
