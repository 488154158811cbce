import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Schema from "effect/Schema"
import { query } from "../backend-api/Endpoint.ts"
import { sessionJson, userJson } from "../backend-api/Representation.ts"
import { SessionStatus } from "../ClerkSessions.ts"
import { Fault } from "../Faults.ts"
import { FeatureSwitches } from "../Features.ts"
import { Metadata } from "../Metadata.ts"
import { Tampering } from "../oauth/IdTokens.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { done, hookRoutes } from "./HookRoute.ts"
import { StandInAdmin } from "./StandInAdmin.ts"

const Seconds = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const User = Schema.Struct({ user: Schema.NonEmptyString })

/** {@link StandInAdmin} over HTTP, under `/_stand-in`. */
export const adminRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const admin = yield* StandInAdmin
    const { origin } = yield* StandInSettings
    const { get, post } = yield* hookRoutes(router)

    const asUser = (operation: (user: string) => ReturnType<typeof admin.ban>) => (input: typeof User.Type) =>
      Effect.map(operation(input.user), (user) => userJson(user, origin))

    yield* get(
      "users",
      Effect.map(admin.users, (users) => users.map((user) => userJson(user, origin)))
    )
    yield* post("users/public-metadata", Schema.Struct({ ...User.fields, publicMetadata: Metadata }), (input) =>
      asUser((user) => admin.setPublicMetadata(user, input.publicMetadata))(input)
    )
    yield* post("users/role", Schema.Struct({ ...User.fields, role: Schema.NullOr(Schema.String) }), (input) =>
      asUser((user) => admin.setRole(user, input.role ?? undefined))(input)
    )
    yield* post(
      "users/organizations",
      Schema.Struct({ ...User.fields, permissions: Schema.Array(Schema.Array(Schema.String)) }),
      (input) => asUser((user) => admin.setOrganizations(user, input.permissions))(input)
    )
    yield* post(
      "users/create",
      Schema.Struct({
        email: Schema.NonEmptyString,
        firstName: Schema.optionalKey(Schema.String),
        lastName: Schema.optionalKey(Schema.String),
        role: Schema.optionalKey(Schema.String)
      }),
      (fields) => Effect.map(admin.createUser(fields), (user) => userJson(user, origin))
    )
    yield* post("users/ban", User, asUser(admin.ban))
    yield* post("users/unban", User, asUser(admin.unban))
    yield* post("users/lock", User, asUser(admin.lock))
    yield* post("users/unlock", User, asUser(admin.unlock))
    yield* post("users/delete", User, asUser(admin.deleteUser))

    yield* get(
      "sessions",
      Effect.gen(function* () {
        const { user } = yield* query(User)
        return (yield* admin.sessionsOf(user)).map(sessionJson)
      })
    )
    yield* post("sessions/create", User, ({ user }) => Effect.map(admin.createSession(user), sessionJson))
    yield* post(
      "sessions/end",
      Schema.Struct({ session: Schema.NonEmptyString, status: Schema.optional(SessionStatus) }),
      ({ session, status }) => Effect.map(admin.endSession(session, status), sessionJson)
    )

    yield* post(
      "sessions/token",
      Schema.Struct({ session: Schema.NonEmptyString, application: Schema.NonEmptyString }),
      ({ application, session }) => Effect.map(admin.mintSessionToken(session, application), (jwt) => ({ jwt }))
    )
    yield* post(
      "tokens/lifetimes",
      Schema.Struct({ sessionSeconds: Schema.optionalKey(Seconds), templateSeconds: Schema.optionalKey(Seconds) }),
      (lifetimes) => done(admin.setTokenLifetimes(lifetimes))
    )

    yield* post("features", FeatureSwitches, (switches) => done(admin.setFeatures(switches)))
    yield* post("faults", Fault, (fault) => done(admin.addFault(fault)))
    yield* post("id-token/tamper", Schema.Struct({ tampering: Tampering }), ({ tampering }) =>
      done(admin.tamperWithNextIdToken(tampering))
    )
    yield* post("keys/rotate", Schema.Struct({ keepPrevious: Schema.optional(Schema.Boolean) }), (options) =>
      Effect.map(admin.rotateSigningKey(options), (kid) => ({ kid }))
    )
    yield* post("clock", Schema.Struct({ offsetSeconds: Schema.Int }), ({ offsetSeconds }) =>
      done(admin.setClockOffset(offsetSeconds))
    )

    yield* get(
      "requests",
      Effect.map(admin.requests, (counts) => counts.map(({ count, method, path }) => ({ count, method, path })))
    )
    yield* post("requests/forget", Schema.Struct({}), () => done(admin.forgetRequests))
    yield* post("reset", Schema.Struct({}), () => done(admin.reset))
  })
)
