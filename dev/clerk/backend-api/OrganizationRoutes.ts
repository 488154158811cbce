import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Schema from "effect/Schema"
import { type ClerkUser, Directory } from "../Directory.ts"
import { Features } from "../Features.ts"
import { type Membership, type Organization, Organizations } from "../Organizations.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { type BackendApiError, organizationsOff } from "./BackendApiError.ts"
import { endpoint, orNotFound, pathParameter, query } from "./Endpoint.ts"
import { membershipJson, organizationJson } from "./OrganizationJson.ts"
import { paged, pagingFields, Repeated, valuesOf } from "./Paging.ts"

const Flag = Schema.optionalKey(Schema.Literals(["true", "false"]))

const OrganizationQuery = Schema.Struct({ include_members_count: Flag })

const OrganizationListQuery = Schema.Struct({
  ...pagingFields,
  ...OrganizationQuery.fields,
  query: Schema.optionalKey(Schema.String),
  user_id: Schema.optionalKey(Repeated),
  organization_id: Schema.optionalKey(Repeated)
})

const MemberListQuery = Schema.Struct({
  ...pagingFields,
  role: Schema.optionalKey(Repeated),
  user_id: Schema.optionalKey(Repeated),
  email_address: Schema.optionalKey(Repeated)
})

/** `/v1/organizations`, their memberships, and those of a user, as far as the Backend API reads them. */
export const organizationRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { origin, secretKey } = yield* StandInSettings
    const directory = yield* Directory
    const features = yield* Features
    const organizations = yield* Organizations

    const organizationNamed = Effect.flatMap(
      pathParameter("organization_id"),
      Effect.fnUntraced(function* (idOrSlug) {
        return yield* orNotFound(yield* organizations.find(idOrSlug), "organization", idOrSlug)
      })
    )

    const asJson = (organization: Organization, counted: typeof OrganizationQuery.Type) =>
      organizationJson(
        organization,
        origin,
        counted.include_members_count === "true" ? organizations.memberCount(organization.id) : undefined
      )

    /** Memberships of users, of whom `wanted` says which count. */
    const membershipPage = Effect.fnUntraced(function* (
      all: ReadonlyArray<Membership>,
      page: { readonly limit?: number; readonly offset?: number },
      wanted: (user: ClerkUser, membership: Membership) => boolean = () => true
    ) {
      const users = new Map((yield* directory.all).map((user) => [user.id, user]))
      const shown = all.flatMap((membership) => {
        const user = users.get(membership.userId)
        return user !== undefined && wanted(user, membership) ? [{ membership, user }] : []
      })
      return {
        data: paged(shown, page).map(({ membership, user }) =>
          membershipJson(membership, user, origin, organizations.memberCount(membership.organization.id))
        ),
        total_count: shown.length
      }
    })

    const list = Effect.gen(function* () {
      const wanted = yield* query(OrganizationListQuery)
      const ids = valuesOf(wanted.organization_id)
      const members = valuesOf(wanted.user_id)
      const text = wanted.query?.toLowerCase()
      const ofMembers = yield* Effect.forEach(members ?? [], organizations.membershipsOf)
      const held = new Set(ofMembers.flat().map(({ organization }) => organization.id))
      const found = (yield* organizations.all).filter(
        ({ id, name, slug }) =>
          (ids === undefined || ids.has(id)) &&
          (members === undefined || held.has(id)) &&
          (text === undefined ||
            id.toLowerCase() === text ||
            name.toLowerCase().includes(text) ||
            slug.toLowerCase().includes(text))
      )
      return { data: paged(found, wanted).map((one) => asJson(one, wanted)), total_count: found.length }
    })

    const get = Effect.gen(function* () {
      const counted = yield* query(OrganizationQuery)
      return asJson(yield* organizationNamed, counted)
    })

    const members = Effect.gen(function* () {
      const wanted = yield* query(MemberListQuery)
      const [roles, ids, emails] = [valuesOf(wanted.role), valuesOf(wanted.user_id), valuesOf(wanted.email_address)]
      const { id } = yield* organizationNamed
      return yield* membershipPage(
        yield* organizations.members(id),
        wanted,
        (user, { role }) =>
          (roles === undefined || roles.has(role)) &&
          (ids === undefined || ids.has(user.id)) &&
          (emails === undefined || emails.has(user.email))
      )
    })

    const ofUser = Effect.gen(function* () {
      const page = yield* query(Schema.Struct(pagingFields))
      const id = yield* pathParameter("user_id")
      const user = yield* orNotFound(yield* directory.find(id), "user", id)
      return yield* membershipPage(yield* organizations.membershipsOf(user.id), page)
    })

    const everybody = Effect.gen(function* () {
      const page = yield* query(Schema.Struct(pagingFields))
      const all = yield* Effect.forEach(yield* organizations.all, ({ id }) => organizations.members(id))
      const newest = all.flat().toSorted((one, other) => other.createdAt - one.createdAt)
      return yield* membershipPage(newest, page)
    })

    const add = <R>(path: `/${string}`, handler: Effect.Effect<Schema.Json, BackendApiError, R>) =>
      router.add(
        "GET",
        path,
        endpoint(
          secretKey,
          Effect.flatMap(features.current, (switches) => (switches.organizations ? handler : organizationsOff))
        )
      )

    yield* add("/v1/organizations", list)
    yield* add("/v1/organizations/:organization_id", get)
    yield* add("/v1/organizations/:organization_id/memberships", members)
    yield* add("/v1/organization_memberships", everybody)
    yield* add("/v1/users/:user_id/organization_memberships", ofUser)
  })
)
