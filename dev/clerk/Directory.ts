import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ClerkSessions } from "./ClerkSessions.ts"
import { demoOrganization, type DemoUser, demoUsers, type Organization } from "./DemoUsers.ts"
import type { UserId } from "./Ids.ts"
import type { Metadata } from "./Metadata.ts"
import { StandInClock } from "./StandInClock.ts"

/** A user of the instance; times are milliseconds since the epoch. */
export interface ClerkUser {
  readonly id: UserId
  readonly email: string
  readonly firstName: string | null
  readonly lastName: string | null
  readonly username: string | null
  readonly externalId: string | null
  readonly locale: string | null
  readonly publicMetadata: Metadata
  readonly privateMetadata: Metadata
  readonly unsafeMetadata: Metadata
  readonly banned: boolean
  /** The newest first, as Clerk lists them. The first one is the active one of new sessions. */
  readonly organizations: ReadonlyArray<Organization>
  readonly createdAt: number
  readonly updatedAt: number
  readonly lastSignInAt: number | null
}

/** What a change may touch; identity, ban and times have their own operations. */
export type UserChange = Partial<
  Pick<
    ClerkUser,
    | "firstName"
    | "lastName"
    | "username"
    | "externalId"
    | "locale"
    | "publicMetadata"
    | "privateMetadata"
    | "unsafeMetadata"
    | "organizations"
  >
>

/** The demo was founded at this moment; a minute lies between its users, so that ordering is visible. */
const founded = Date.UTC(2026, 0, 5, 9)

const fromDemo = (demo: DemoUser, position: number): ClerkUser => ({
  id: demo.id,
  email: demo.email,
  firstName: demo.firstName,
  lastName: demo.lastName,
  username: null,
  externalId: null,
  locale: null,
  publicMetadata: demo.role === undefined ? {} : { role: demo.role },
  privateMetadata: {},
  unsafeMetadata: {},
  banned: demo.banned,
  organizations: demo === demoUsers.admin ? [demoOrganization] : [],
  createdAt: founded + position * 60_000,
  updatedAt: founded + position * 60_000,
  lastSignInAt: null
})

/** The users of the instance. A ban ends a user's sessions, a deletion removes them. */
export class Directory extends Context.Service<
  Directory,
  {
    readonly find: (id: string) => Effect.Effect<Option.Option<ClerkUser>>
    /** A user who exists and is not banned: who may sign in, and whose tokens work. */
    readonly findInGoodStanding: (id: string) => Effect.Effect<Option.Option<ClerkUser>>
    readonly findByEmail: (email: string) => Effect.Effect<Option.Option<ClerkUser>>
    readonly all: Effect.Effect<ReadonlyArray<ClerkUser>>
    readonly update: (id: string, change: (user: ClerkUser) => UserChange) => Effect.Effect<Option.Option<ClerkUser>>
    readonly setBanned: (id: string, banned: boolean) => Effect.Effect<Option.Option<ClerkUser>>
    readonly recordSignIn: (id: UserId) => Effect.Effect<void>
    readonly remove: (id: string) => Effect.Effect<Option.Option<ClerkUser>>
    /** Back to the demo users. */
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/Directory") {
  static readonly layer = Layer.effect(
    Directory,
    Effect.gen(function* () {
      const clock = yield* StandInClock
      const sessions = yield* ClerkSessions
      const users = new Map<string, ClerkUser>()

      const reset = Effect.sync(() => {
        users.clear()
        Object.values(demoUsers).forEach((demo, position) => users.set(demo.id, fromDemo(demo, position)))
      })
      yield* reset

      const find = (id: string) => Effect.sync(() => Option.fromUndefinedOr(users.get(id)))

      const store = Effect.fnUntraced(function* (id: string, change: (user: ClerkUser) => Partial<ClerkUser>) {
        const user = users.get(id)
        if (user === undefined) return Option.none()
        const changed: ClerkUser = { ...user, ...change(user), updatedAt: yield* clock.nowMillis }
        users.set(id, changed)
        return Option.some(changed)
      })

      return Directory.of({
        find,
        findInGoodStanding: (id) =>
          Effect.map(
            find(id),
            Option.filter((user) => !user.banned)
          ),
        findByEmail: (email) =>
          Effect.sync(() => {
            const wanted = email.trim().toLowerCase()
            return Option.fromUndefinedOr(Array.from(users.values()).find((user) => user.email === wanted))
          }),
        all: Effect.sync(() => Array.from(users.values())),
        update: store,
        setBanned: Effect.fnUntraced(function* (id, banned) {
          const user = yield* store(id, () => ({ banned }))
          if (banned && Option.isSome(user)) yield* sessions.endAllOf(user.value.id, "revoked")
          return user
        }),
        recordSignIn: Effect.fnUntraced(function* (id) {
          const now = yield* clock.nowMillis
          yield* store(id, () => ({ lastSignInAt: now }))
        }),
        remove: Effect.fnUntraced(function* (id) {
          const user = yield* find(id)
          if (Option.isSome(user)) {
            users.delete(id)
            yield* sessions.removeAllOf(user.value.id)
          }
          return user
        }),
        reset
      })
    })
  )
}
