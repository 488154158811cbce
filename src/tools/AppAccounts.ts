import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { AppApi, AppApiError, CurrentPrincipal, Policy, Progress } from "../server/index.ts"

const Profile = Schema.Struct({
  id: Schema.String,
  email: Schema.NullOr(Schema.String),
  firstName: Schema.NullOr(Schema.String),
  lastName: Schema.NullOr(Schema.String),
  role: Schema.NullOr(Schema.String)
})
type Profile = typeof Profile.Type

const Page = Schema.Struct({ users: Schema.Array(Profile), total: Schema.Int })

/** The most that the app hands out at once. */
const pageSize = 100

const MyProfile = Tool.make("myProfile", {
  description: "The user’s own profile in the app: name, e-mail address and role.",
  success: Profile,
  failure: AppApiError,
  dependencies: [CurrentPrincipal]
})
  .annotate(Policy.Required, Policy.scopes("app:read"))
  .annotate(Tool.Title, "My profile")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

const ListUsers = Tool.make("listUsers", {
  description: "The users of the app, with name, e-mail address and role.",
  parameters: Schema.Struct({
    limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 }))
      .annotate({ description: "How many users at most, from 1 to 500", default: 100 })
      .pipe(Schema.withDecodingDefaultKey(Effect.succeed(100))),
    offset: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))
      .annotate({ description: "How many users to skip", default: 0 })
      .pipe(Schema.withDecodingDefaultKey(Effect.succeed(0)))
  }),
  success: Schema.Struct({
    users: Schema.Array(Profile),
    total: Schema.Int.annotate({ description: "How many users there are in the app" })
  }),
  failure: AppApiError,
  dependencies: [CurrentPrincipal]
})
  .annotate(Policy.Required, Policy.all(Policy.roles("admin"), Policy.scopes("app:read")))
  .annotate(Tool.Title, "List users")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

export const toolkit = Toolkit.make(MyProfile, ListUsers)

export const layer = toolkit.toLayer(
  Effect.gen(function* () {
    const app = yield* AppApi
    return {
      myProfile: () => app.get("/api/me", {}, Profile),

      listUsers: Effect.fnUntraced(function* ({ limit, offset }) {
        const report = yield* Progress
        const users: Array<Profile> = []
        for (;;) {
          const wanted = Math.min(pageSize, limit - users.length)
          const query = { limit: `${wanted}`, offset: `${offset + users.length}` }
          const page = yield* app.get("/api/users", query, Page)
          users.push(...page.users.slice(0, wanted))
          const { total } = page
          const end = Math.min(limit, total - offset)
          // An app may hand out less at once than it was asked for.
          if (page.users.length === 0 || users.length >= end) return { users, total }
          yield* report({ progress: users.length, total: end, message: `${users.length} users` })
        }
      })
    }
  })
)
