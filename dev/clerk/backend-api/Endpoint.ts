import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import {
  BackendApiError,
  InvalidParameters,
  notFound,
  refusal,
  SecretKeyInvalid,
  SecretKeyMissing,
  UnreadableBody
} from "./BackendApiError.ts"

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

const invalid = (error: Schema.SchemaError): BackendApiError =>
  new BackendApiError({
    reason: new InvalidParameters({
      issues: formatIssue(error.issue).issues.map((issue) => ({
        parameter: issue.path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".") ?? "",
        explanation: issue.message
      }))
    })
  })

/** The query string, decoded. A parameter that does not fit is a 422. */
export const query = <A, I extends Readonly<Record<string, string | ReadonlyArray<string> | undefined>>>(
  schema: Schema.Codec<A, I>
) => Effect.mapError(HttpServerRequest.schemaSearchParams(schema), invalid)

/** The JSON body, decoded; an absent body reads as `{}`. Not JSON is a 400, JSON that does not fit a 422. */
export const body = Effect.fnUntraced(function* <A, I>(schema: Schema.Codec<A, I>) {
  const request = yield* HttpServerRequest.HttpServerRequest
  const unreadable = new BackendApiError({ reason: new UnreadableBody() })
  const text = yield* Effect.mapError(request.text, () => unreadable)
  const json = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))(text === "" ? "{}" : text).pipe(
    Effect.mapError(() => unreadable)
  )
  return yield* Effect.mapError(Schema.decodeUnknownEffect(schema)(json), invalid)
})

/** A path parameter of the matched route. */
export const pathParameter = (name: string) => Effect.map(HttpRouter.params, (params) => params[name] ?? "")

/** The resource, or Clerk's 404. */
export const orNotFound = <A>(found: Option.Option<A>, what: string, id: string): Effect.Effect<A, BackendApiError> =>
  Option.match(found, { onNone: () => Effect.fail(notFound(what, id)), onSome: Effect.succeed })

/** Puts the secret key before a handler and Clerk's error body behind it. */
export const endpoint = <R>(secretKey: string, handler: Effect.Effect<Schema.Json, BackendApiError, R>) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const presented = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1]
    if (presented === undefined) return yield* new BackendApiError({ reason: new SecretKeyMissing() })
    if (presented !== secretKey) return yield* new BackendApiError({ reason: new SecretKeyInvalid() })
    const json = yield* handler
    return json === null ? HttpServerResponse.empty({ status: 204 }) : HttpServerResponse.jsonUnsafe(json)
  }).pipe(Effect.catchTag("BackendApiError", (error) => Effect.succeed(refusal(error))))
