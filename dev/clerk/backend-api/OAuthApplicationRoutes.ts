import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { Directory } from "../Directory.ts"
import { randomSecret } from "../Ids.ts"
import { OAuthApplications, type OAuthApplicationChange } from "../OAuthApplications.ts"
import { OAuthRecords } from "../oauth/OAuthRecords.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { notFound } from "./BackendApiError.ts"
import { body, endpoint, orNotFound, pathParameter, query } from "./Endpoint.ts"
import { paged, pagingFields } from "./Paging.ts"
import { applicationJson, deletedJson } from "./Representation.ts"

const ListQuery = Schema.Struct({
  ...pagingFields,
  name_query: Schema.optionalKey(Schema.String),
  order_by: Schema.optionalKey(Schema.Literals(["name", "+name", "-name", "created_at", "+created_at", "-created_at"]))
})

const nullable = <S extends Schema.Top>(schema: S) => Schema.optional(Schema.NullOr(schema))

const changeFields = {
  redirect_uris: nullable(Schema.Array(Schema.NonEmptyString)),
  scopes: nullable(Schema.String.check(Schema.isMaxLength(1024))),
  public: nullable(Schema.Boolean),
  pkce_required: nullable(Schema.Boolean),
  consent_screen_enabled: nullable(Schema.Boolean)
} as const

const Name = Schema.NonEmptyString.check(Schema.isMaxLength(256))
const NewApplication = Schema.Struct({ ...changeFields, name: Name })
const ApplicationUpdate = Schema.Struct({ ...changeFields, name: nullable(Name) })

const changeOf = (wanted: typeof ApplicationUpdate.Type): OAuthApplicationChange => ({
  ...(wanted.name == null ? {} : { name: wanted.name }),
  ...(wanted.redirect_uris == null ? {} : { redirectUris: wanted.redirect_uris }),
  ...(wanted.scopes == null ? {} : { scopes: wanted.scopes }),
  ...(wanted.public == null ? {} : { isPublic: wanted.public }),
  ...(wanted.pkce_required == null ? {} : { pkceRequired: wanted.pkce_required }),
  ...(wanted.consent_screen_enabled == null ? {} : { consentScreen: wanted.consent_screen_enabled })
})

/** `/v1/oauth_applications` of the Backend API, and the verification of opaque access tokens. */
export const oauthApplicationRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { origin, secretKey } = yield* StandInSettings
    const applications = yield* OAuthApplications
    const records = yield* OAuthRecords
    const directory = yield* Directory
    const applicationId = pathParameter("id")

    const list = Effect.gen(function* () {
      const wanted = yield* query(ListQuery)
      const text = wanted.name_query?.toLowerCase()
      const matching = (yield* applications.all).filter(
        (one) => text === undefined || one.name.toLowerCase().includes(text) || one.clientId === wanted.name_query
      )
      const byName = wanted.order_by?.endsWith("name") === true
      const sorted = byName ? matching.toSorted((one, other) => one.name.localeCompare(other.name)) : matching
      const all = wanted.order_by?.startsWith("-") === true ? sorted.toReversed() : sorted
      return { data: paged(all, wanted).map((one) => applicationJson(one, origin)), total_count: all.length }
    })

    const create = Effect.gen(function* () {
      const wanted = yield* body(NewApplication)
      return applicationJson(yield* applications.create({ ...changeOf(wanted), name: wanted.name }), origin, {
        withSecret: true
      })
    })

    const get = Effect.flatMap(
      applicationId,
      Effect.fnUntraced(function* (id) {
        return applicationJson(yield* orNotFound(yield* applications.find(id), "OAuth application", id), origin)
      })
    )

    const update = Effect.flatMap(
      applicationId,
      Effect.fnUntraced(function* (id) {
        const wanted = yield* body(ApplicationUpdate)
        return applicationJson(
          yield* orNotFound(yield* applications.update(id, changeOf(wanted)), "OAuth application", id),
          origin
        )
      })
    )

    const rotateSecret = Effect.flatMap(
      applicationId,
      Effect.fnUntraced(function* (id) {
        const rotated = yield* applications.update(id, { clientSecret: randomSecret(32) })
        return applicationJson(yield* orNotFound(rotated, "OAuth application", id), origin, { withSecret: true })
      })
    )

    const remove = Effect.flatMap(
      applicationId,
      Effect.fnUntraced(function* (id) {
        yield* orNotFound(yield* applications.remove(id), "OAuth application", id)
        return deletedJson("oauth_application", id)
      })
    )

    const revokeToken = Effect.flatMap(
      applicationId,
      Effect.fnUntraced(function* (id) {
        const { token } = yield* body(Schema.Struct({ token: Schema.NonEmptyString }))
        const application = yield* orNotFound(yield* applications.find(id), "OAuth application", id)
        if (!(yield* records.revokeGrantOf(token, application.clientId))) return yield* notFound("OAuth token", "given")
        return null
      })
    )

    const verify = Effect.gen(function* () {
      const { access_token } = yield* body(Schema.Struct({ access_token: Schema.NonEmptyString }))
      const access = yield* orNotFound(yield* records.describeAccessToken(access_token), "OAuth token", "given")
      const revoked = access.revoked || Option.isNone(yield* directory.findInGoodStanding(access.userId))
      // As Clerk: a token that was issued is always a 200, and the caller has to read the fields.
      return {
        object: "clerk_idp_oauth_access_token",
        id: `oat_${createHash("sha256").update(access_token).digest("hex").slice(0, 32)}`,
        client_id: access.clientId,
        subject: access.userId,
        type: "oauth_token",
        scopes: Array.from(access.scopes),
        revoked,
        revocation_reason: revoked ? "Revoked" : null,
        expired: access.expired,
        expiration: access.expiresAt,
        created_at: access.issuedAt,
        updated_at: access.issuedAt
      }
    })

    const path = "/v1/oauth_applications"
    yield* router.add("GET", path, endpoint(secretKey, list))
    yield* router.add("POST", path, endpoint(secretKey, create))
    yield* router.add("POST", `${path}/access_tokens/verify`, endpoint(secretKey, verify))
    // @clerk/backend leaves the version out of this one address.
    yield* router.add("POST", "/oauth_applications/access_tokens/verify", endpoint(secretKey, verify))
    yield* router.add("GET", `${path}/:id`, endpoint(secretKey, get))
    yield* router.add("PATCH", `${path}/:id`, endpoint(secretKey, update))
    yield* router.add("DELETE", `${path}/:id`, endpoint(secretKey, remove))
    yield* router.add("POST", `${path}/:id/rotate_secret`, endpoint(secretKey, rotateSecret))
    yield* router.add("POST", `${path}/:id/revoke_token`, endpoint(secretKey, revokeToken))
  })
)
