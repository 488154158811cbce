import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import { AppApiError, AppForbidden, AppRefused, unavailable, unexpected } from "./AppApiError.ts"
import * as ProblemDetails from "./ProblemDetails.ts"

/** What is kept of an answer of the app. */
export interface AppAnswer {
  readonly status: number
  readonly isJson: boolean
  /** Of a success that is JSON. */
  readonly text: string
  readonly problem: ProblemDetails.ProblemDetails | undefined
}

/** The most that an answer may have, in bytes. An isolate has little memory, and many users. */
const longestAnswer = 4 * 1024 * 1024

const textOf = (response: HttpClientResponse.HttpClientResponse) =>
  response.stream.pipe(
    Stream.mapAccumEffect(
      () => 0,
      (sum, chunk) => {
        const bytes = sum + chunk.length
        return bytes > longestAnswer
          ? Effect.fail(unexpected("an answer of more than 4 MiB"))
          : Effect.succeed([bytes, [chunk]] as const)
      }
    ),
    Stream.decodeText(),
    Stream.mkString
  )

const isSuccess = (status: number) => status >= 200 && status < 300
const isRefusal = (status: number) => status >= 400 && status < 500

/** A number of seconds, or a date (RFC 9110, section 10.2.3). */
const retryAfter = Effect.fnUntraced(function* (value: string | undefined) {
  if (value === undefined) return {}
  if (/^\d{1,9}$/u.test(value)) return { retryAfterSeconds: Number(value) }
  const now = yield* Clock.currentTimeMillis
  return Option.match(DateTime.make(value), {
    onNone: () => ({}),
    onSome: (date) => ({ retryAfterSeconds: Math.max(0, Math.ceil((DateTime.toEpochMillis(date) - now) / 1_000)) })
  })
})

/** Reads what is of use to the tool. An app that cannot answer now is a failure. */
export const read = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  const { status, headers } = response
  if (status === 429 || status >= 500) {
    const more = { status, ...(yield* retryAfter(headers["retry-after"])) }
    return yield* unavailable(status === 429 ? "too many requests" : "an error", more)
  }
  const type = headers["content-type"] ?? ""
  const isJson = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/iu.test(type)
  const isProblem = isRefusal(status) && /^application\/problem\+json\s*(?:;|$)/iu.test(type)
  const text = (isSuccess(status) && isJson) || isProblem ? yield* textOf(response) : ""
  return { status, isJson, text, problem: isProblem ? ProblemDetails.read(text) : undefined } satisfies AppAnswer
})

const refused = ({ status, problem }: AppAnswer) =>
  new AppApiError({ reason: new AppRefused({ status, ...(problem !== undefined && { problem }) }) })

const decode = <A>({ isJson, text }: AppAnswer, answer: Schema.Decoder<A>): Effect.Effect<A, AppApiError> =>
  isJson
    ? Effect.mapError(Schema.decodeEffect(Schema.fromJsonString(answer))(text), () =>
        unexpected("other JSON than agreed")
      )
    : Effect.fail(unexpected("no JSON"))

/** What a read comes to. */
export const settleRead = <A>(answered: AppAnswer, answer: Schema.Decoder<A>): Effect.Effect<A, AppApiError> => {
  const { status, problem } = answered
  if (status === 200) return decode(answered, answer)
  if (status === 403) return Effect.fail(new AppApiError({ reason: new AppForbidden() }))
  return Effect.fail(problem === undefined || status === 401 ? unexpected(`status ${status}`) : refused(answered))
}

/** What a write comes to. Without an `answer`, what the app says beside its status does not matter. */
export const settleWrite = <A>(
  answered: AppAnswer,
  answer: Schema.Decoder<A> | undefined
): Effect.Effect<A | undefined, AppApiError> => {
  const { status } = answered
  if (isSuccess(status)) return answer === undefined ? Effect.undefined : decode(answered, answer)
  if (status === 403) return Effect.fail(new AppApiError({ reason: new AppForbidden() }))
  return Effect.fail(isRefusal(status) && status !== 401 ? refused(answered) : unexpected(`status ${status}`))
}
