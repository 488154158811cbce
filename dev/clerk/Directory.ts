import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Changes } from "./Changes.ts"
import { ClerkSessions } from "./ClerkSessions.ts"
import { type DemoUser, demoUsers, founded } from "./DemoUsers.ts"
import { randomId, UserId } from "./Ids.ts"
import type { Metadata } from "./Metadata.ts"
import { Organizations } from "./Organizations.ts"
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
  /** May not sign in again until it is lifted; what the user has goes on. */
  readonly locked: boolean
  readonly createdAt: number
  readonly updatedAt: number
  readonly lastSignInAt: number | null
}

/** What a change may touch; identity, ban, lock and times have their own operations. */
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
  >
>

/** What a new user is made of. */
export interface NewUser {
  readonly email: string
  readonly firstName: string | null
  readonly lastName: string | null
  readonly publicMetadata: Metadata
}

const fresh = (id: UserId, fields: NewUser, at: number): ClerkUser => ({
  ...fields,
  id,
  username: null,
  externalId: null,
  locale: null,
  privateMetadata: {},
  unsafeMetadata: {},
  banned: false,
  locked: false,
  createdAt: at,
  updatedAt: at,
  lastSignInAt: null
})

const fromDemo = ({ banned, email, firstName, id, lastName, role }: DemoUser, position: number): ClerkUser => ({
  ...fresh(
    id,
    { email, firstName, lastName, publicMetadata: role === undefined ? {} : { role } },
    founded + position * 60_000
  ),
  banned
})

/** The users of the instance. A ban ends a user's sessions, a deletion removes them and the memberships. */
export class Directory extends Context.Service<
  Directory,
  {
    readonly find: (id: string) => Effect.Effect<Option.Option<ClerkUser>>
    /** A user who exists and is not banned: who may sign in, and whose tokens work. */
    readonly findInGoodStanding: (id: string) => Effect.Effect<Option.Option<ClerkUser>>
    readonly findByEmail: (email: string) => Effect.Effect<Option.Option<ClerkUser>>
    /** By id or e-mail address. */
    readonly findNamed: (name: string) => Effect.Effect<Option.Option<ClerkUser>>
    readonly all: Effect.Effect<ReadonlyArray<ClerkUser>>
    readonly create: (fields: NewUser) => Effect.Effect<ClerkUser>
    readonly update: (id: string, change: (user: ClerkUser) => UserChange) => Effect.Effect<Option.Option<ClerkUser>>
    readonly setBanned: (id: string, banned: boolean) => Effect.Effect<Option.Option<ClerkUser>>
    readonly setLocked: (id: string, locked: boolean) => Effect.Effect<Option.Option<ClerkUser>>
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
      const changes = yield* Changes
      const sessions = yield* ClerkSessions
      const organizations = yield* Organizations
      const users = new Map<string, ClerkUser>()

      const reset = Effect.sync(() => {
        users.clear()
        Object.values(demoUsers).forEach((demo, position) => users.set(demo.id, fromDemo(demo, position)))
      })
      yield* reset

      const find = (id: string) => Effect.sync(() => Option.fromUndefinedOr(users.get(id)))

      const findByEmail = (email: string) =>
        Effect.sync(() => {
          const wanted = email.trim().toLowerCase()
          return Option.fromUndefinedOr(Array.from(users.values()).find((user) => user.email === wanted))
        })

      const store = Effect.fnUntraced(function* (id: string, change: (user: ClerkUser) => Partial<ClerkUser>) {
        const user = users.get(id)
        if (user === undefined) return Option.none()
        const changed: ClerkUser = { ...user, ...change(user), updatedAt: yield* clock.nowMillis }
        users.set(id, changed)
        return Option.some(changed)
      })

      const change = Effect.fnUntraced(function* (id: string, fields: (user: ClerkUser) => Partial<ClerkUser>) {
        const changed = yield* store(id, fields)
        if (Option.isSome(changed)) yield* changes.publish({ type: "user.updated", user: changed.value })
        return changed
      })

      return Directory.of({
        find,
        findInGoodStanding: (id) =>
          Effect.map(
            find(id),
            Option.filter((user) => !user.banned)
          ),
        findByEmail,
        findNamed: (name) => (name.includes("@") ? findByEmail(name) : find(name)),
        all: Effect.sync(() => Array.from(users.values())),
        create: Effect.fnUntraced(function* (fields) {
          const user = fresh(UserId.make(randomId("user")), fields, yield* clock.nowMillis)
          users.set(user.id, user)
          yield* changes.publish({ type: "user.created", user })
          return user
        }),
        update: change,
        setBanned: Effect.fnUntraced(function* (id, banned) {
          const user = yield* change(id, () => ({ banned }))
          if (banned && Option.isSome(user)) yield* sessions.endAllOf(user.value.id, "revoked")
          return user
        }),
        setLocked: (id, locked) => change(id, () => ({ locked })),
        recordSignIn: Effect.fnUntraced(function* (id) {
          const now = yield* clock.nowMillis
          yield* store(id, () => ({ lastSignInAt: now }))
        }),
        remove: Effect.fnUntraced(function* (id) {
          const user = yield* find(id)
          if (Option.isSome(user)) {
            yield* organizations.removeAllOf(user.value.id)
            users.delete(id)
            yield* sessions.removeAllOf(user.value.id)
            yield* changes.publish({ type: "user.deleted", user: user.value })
          }
          return user
        }),
        reset
      })
    })
  )
}
