import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ClerkSessions, SessionStatus } from "../ClerkSessions.ts"
import { Directory } from "../Directory.ts"
import { KeyRing } from "../KeyRing.ts"
import { Organizations } from "../Organizations.ts"
import { SessionTokens } from "../SessionTokens.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { invalidParameter, notFound } from "./BackendApiError.ts"
import { body, endpoint, orNotFound, pathParameter, query } from "./Endpoint.ts"
import { paged, pagingFields } from "./Paging.ts"
import { sessionJson } from "./Representation.ts"

const SessionListQuery = Schema.Struct({
  ...pagingFields,
  user_id: Schema.optionalKey(Schema.String),
  client_id: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(SessionStatus),
  paginated: Schema.optionalKey(Schema.Literals(["true", "false"]))
})

const NewSession = Schema.Struct({
  user_id: Schema.NonEmptyString,
  active_organization_id: Schema.optional(Schema.String)
})

const TokenRequest = Schema.Struct({
  expires_in_seconds: Schema.optional(
    Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 30, maximum: 315_360_000 })))
  )
})

/** `/v1/sessions` and `/v1/jwks` of the Backend API. */
export const sessionRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { jwtTemplates, secretKey } = yield* StandInSettings
    const sessions = yield* ClerkSessions
    const directory = yield* Directory
    const organizations = yield* Organizations
    const tokens = yield* SessionTokens
    const keys = yield* KeyRing
    const sessionId = pathParameter("session_id")

    const list = Effect.gen(function* () {
      const wanted = yield* query(SessionListQuery)
      if (wanted.user_id === undefined && wanted.client_id === undefined) {
        return yield* invalidParameter("user_id", "user_id or client_id must be given")
      }
      const all = yield* sessions.list({
        userId: wanted.user_id,
        clientId: wanted.client_id,
        status: wanted.status
      })
      const data = paged(all, wanted).map(sessionJson)
      return wanted.paginated === "true" ? { data, total_count: all.length } : data
    })

    const create = Effect.gen(function* () {
      const wanted = yield* body(NewSession)
      const user = yield* orNotFound(yield* directory.findInGoodStanding(wanted.user_id), "user", wanted.user_id)
      const organization = wanted.active_organization_id
      if (organization !== undefined && Option.isNone(yield* organizations.membership(organization, user.id))) {
        return yield* invalidParameter("active_organization_id", "the user is not a member of this organization")
      }
      return sessionJson(yield* sessions.create(user.id, organization))
    })

    const get = Effect.flatMap(
      sessionId,
      Effect.fnUntraced(function* (id) {
        return sessionJson(yield* orNotFound(yield* sessions.find(id), "session", id))
      })
    )

    const revoke = Effect.flatMap(
      sessionId,
      Effect.fnUntraced(function* (id) {
        return sessionJson(yield* orNotFound(yield* sessions.end(id, "revoked"), "session", id))
      })
    )

    /** A session that has ended is not found here, as is its user: the OpenAPI file knows no other refusal. */
    const activeSession = Effect.fnUntraced(function* (id: string) {
      const session = yield* orNotFound(yield* sessions.find(id), "session", id)
      const user = yield* orNotFound(yield* directory.findInGoodStanding(session.userId), "user", session.userId)
      if (session.status !== "active") return yield* notFound("active session", id)
      return { session, user }
    })

    const sessionToken = Effect.gen(function* () {
      const { expires_in_seconds } = yield* body(TokenRequest)
      const { session, user } = yield* activeSession(yield* sessionId)
      return {
        object: "token",
        jwt: yield* tokens.forSession(session, user, { lifetimeSeconds: expires_in_seconds ?? undefined })
      }
    })

    const templateToken = Effect.gen(function* () {
      const { expires_in_seconds } = yield* body(TokenRequest)
      const name = yield* pathParameter("template")
      const template = Object.hasOwn(jwtTemplates, name) ? jwtTemplates[name] : undefined
      if (template === undefined) return yield* notFound("JWT template", name)
      const { session, user } = yield* activeSession(yield* sessionId)
      return {
        object: "token",
        jwt: yield* tokens.forTemplate(template, session, user, expires_in_seconds ?? undefined)
      }
    })

    const jwks = Effect.flatMap(keys.published, (published) =>
      // A JWK is JSON by definition; jose types it as an open interface.
      Effect.orDie(Schema.decodeUnknownEffect(Schema.Json)(published))
    )

    yield* router.add("GET", "/v1/jwks", endpoint(secretKey, jwks))
    yield* router.add("GET", "/v1/sessions", endpoint(secretKey, list))
    yield* router.add("POST", "/v1/sessions", endpoint(secretKey, create))
    yield* router.add("GET", "/v1/sessions/:session_id", endpoint(secretKey, get))
    yield* router.add("POST", "/v1/sessions/:session_id/revoke", endpoint(secretKey, revoke))
    yield* router.add("POST", "/v1/sessions/:session_id/tokens", endpoint(secretKey, sessionToken))
    yield* router.add("POST", "/v1/sessions/:session_id/tokens/:template", endpoint(secretKey, templateToken))
  })
)
