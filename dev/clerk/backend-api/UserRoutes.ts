import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Schema from "effect/Schema"
import { type ClerkUser, Directory, type UserChange } from "../Directory.ts"
import { mergeMetadata, Metadata } from "../Metadata.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { body, endpoint, orNotFound, pathParameter, query } from "./Endpoint.ts"
import { paged, pagingFields, Repeated, valuesOf } from "./Paging.ts"
import { deletedJson, userJson } from "./Representation.ts"

const filterFields = {
  email_address: Schema.optionalKey(Repeated),
  user_id: Schema.optionalKey(Repeated),
  external_id: Schema.optionalKey(Repeated),
  query: Schema.optionalKey(Schema.String),
  banned: Schema.optionalKey(Schema.Literals(["true", "false"]))
} as const

const UserFilter = Schema.Struct(filterFields)

const orderable = ["created_at", "updated_at", "email_address", "first_name", "last_name", "last_sign_in_at"] as const
const OrderBy = Schema.Literals([
  ...orderable,
  ...orderable.map((field) => `+${field}` as const),
  ...orderable.map((field) => `-${field}` as const)
])

const UserListQuery = Schema.Struct({ ...filterFields, ...pagingFields, order_by: Schema.optionalKey(OrderBy) })

const matching = (users: ReadonlyArray<ClerkUser>, filter: typeof UserFilter.Type): ReadonlyArray<ClerkUser> => {
  const emails = valuesOf(filter.email_address)
  const ids = valuesOf(filter.user_id)
  const externalIds = valuesOf(filter.external_id)
  const text = filter.query?.toLowerCase()
  return users.filter(
    (user) =>
      (emails === undefined || emails.has(user.email)) &&
      (ids === undefined || ids.has(user.id)) &&
      (externalIds === undefined || (user.externalId !== null && externalIds.has(user.externalId))) &&
      (filter.banned === undefined || user.banned === (filter.banned === "true")) &&
      (text === undefined ||
        [user.id, user.email, user.firstName, user.lastName, user.username].some(
          (field) => field?.toLowerCase().includes(text) === true
        ))
  )
}

const sortKey = (user: ClerkUser, field: string): string | number => {
  switch (field) {
    case "updated_at":
      return user.updatedAt
    case "email_address":
      return user.email
    case "first_name":
      return user.firstName ?? ""
    case "last_name":
      return user.lastName ?? ""
    case "last_sign_in_at":
      return user.lastSignInAt ?? 0
    default:
      return user.createdAt
  }
}

const ordered = (users: ReadonlyArray<ClerkUser>, orderBy: string): ReadonlyArray<ClerkUser> => {
  const sign = orderBy.startsWith("-") ? -1 : 1
  const field = orderBy.replace(/^[+-]/, "")
  return users.toSorted((one, other) => {
    const [left, right] = [sortKey(one, field), sortKey(other, field)]
    return left === right ? 0 : left < right ? -sign : sign
  })
}

const MetadataChange = Schema.Struct({
  public_metadata: Schema.optional(Metadata),
  private_metadata: Schema.optional(Metadata),
  unsafe_metadata: Schema.optional(Metadata)
})

const metadataChange = (
  user: ClerkUser,
  change: typeof MetadataChange.Type,
  combine: (current: Metadata, change: Metadata) => Metadata
): UserChange => ({
  publicMetadata:
    change.public_metadata === undefined ? user.publicMetadata : combine(user.publicMetadata, change.public_metadata),
  privateMetadata:
    change.private_metadata === undefined
      ? user.privateMetadata
      : combine(user.privateMetadata, change.private_metadata),
  unsafeMetadata:
    change.unsafe_metadata === undefined ? user.unsafeMetadata : combine(user.unsafeMetadata, change.unsafe_metadata)
})

const replaceMetadata = (_current: Metadata, change: Metadata): Metadata => change

const UserUpdate = Schema.Struct({
  ...MetadataChange.fields,
  first_name: Schema.optional(Schema.NullOr(Schema.String)),
  last_name: Schema.optional(Schema.NullOr(Schema.String)),
  username: Schema.optional(Schema.NullOr(Schema.String)),
  external_id: Schema.optional(Schema.NullOr(Schema.String)),
  locale: Schema.optional(Schema.NullOr(Schema.String))
})

const userUpdate = (user: ClerkUser, update: typeof UserUpdate.Type): UserChange => ({
  ...metadataChange(user, update, replaceMetadata),
  firstName: update.first_name === undefined ? user.firstName : update.first_name,
  lastName: update.last_name === undefined ? user.lastName : update.last_name,
  username: update.username === undefined ? user.username : update.username,
  externalId: update.external_id === undefined ? user.externalId : update.external_id,
  locale: update.locale === undefined ? user.locale : update.locale
})

/** `/v1/users` of the Backend API. */
export const userRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { origin, secretKey } = yield* StandInSettings
    const directory = yield* Directory
    const userId = pathParameter("user_id")
    const asJson = (user: ClerkUser) => userJson(user, origin)

    const withUser = <A, E, R>(operation: (id: string) => Effect.Effect<A, E, R>) => Effect.flatMap(userId, operation)
    const found = Effect.fnUntraced(function* (id: string) {
      return yield* orNotFound(yield* directory.find(id), "user", id)
    })
    const changed = Effect.fnUntraced(function* (id: string, change: (user: ClerkUser) => UserChange) {
      return asJson(yield* orNotFound(yield* directory.update(id, change), "user", id))
    })
    const setBanned = (banned: boolean) =>
      withUser(
        Effect.fnUntraced(function* (id) {
          return asJson(yield* orNotFound(yield* directory.setBanned(id, banned), "user", id))
        })
      )

    const setLocked = (locked: boolean) =>
      withUser(
        Effect.fnUntraced(function* (id) {
          return asJson(yield* orNotFound(yield* directory.setLocked(id, locked), "user", id))
        })
      )

    const list = Effect.gen(function* () {
      const wanted = yield* query(UserListQuery)
      const users = ordered(matching(yield* directory.all, wanted), wanted.order_by ?? "-created_at")
      return paged(users, wanted).map(asJson)
    })

    const count = Effect.gen(function* () {
      const wanted = yield* query(UserFilter)
      return { object: "total_count", total_count: matching(yield* directory.all, wanted).length }
    })

    const remove = withUser(
      Effect.fnUntraced(function* (id) {
        yield* orNotFound(yield* directory.remove(id), "user", id)
        return deletedJson("user", id)
      })
    )

    const update = withUser(
      Effect.fnUntraced(function* (id) {
        const wanted = yield* body(UserUpdate)
        return yield* changed(id, (user) => userUpdate(user, wanted))
      })
    )

    const changeMetadata = (combine: (current: Metadata, change: Metadata) => Metadata) =>
      withUser(
        Effect.fnUntraced(function* (id) {
          const wanted = yield* body(MetadataChange)
          return yield* changed(id, (user) => metadataChange(user, wanted, combine))
        })
      )

    yield* router.add("GET", "/v1/users", endpoint(secretKey, list))
    yield* router.add("GET", "/v1/users/count", endpoint(secretKey, count))
    yield* router.add("GET", "/v1/users/:user_id", endpoint(secretKey, Effect.map(withUser(found), asJson)))
    yield* router.add("PATCH", "/v1/users/:user_id", endpoint(secretKey, update))
    yield* router.add("DELETE", "/v1/users/:user_id", endpoint(secretKey, remove))
    yield* router.add("PATCH", "/v1/users/:user_id/metadata", endpoint(secretKey, changeMetadata(mergeMetadata)))
    yield* router.add("PUT", "/v1/users/:user_id/metadata", endpoint(secretKey, changeMetadata(replaceMetadata)))
    yield* router.add("POST", "/v1/users/:user_id/ban", endpoint(secretKey, setBanned(true)))
    yield* router.add("POST", "/v1/users/:user_id/unban", endpoint(secretKey, setBanned(false)))
    yield* router.add("POST", "/v1/users/:user_id/lock", endpoint(secretKey, setLocked(true)))
    yield* router.add("POST", "/v1/users/:user_id/unlock", endpoint(secretKey, setLocked(false)))
  })
)
