import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Changes } from "./Changes.ts"
import { demoRoles } from "./DemoOrganizations.ts"
import { founded } from "./DemoUsers.ts"
import { stableId } from "./Ids.ts"
import { StandInClock } from "./StandInClock.ts"

/** A permission of the instance, such as `org:reports:read`; times are milliseconds since the epoch. */
export interface ClerkPermission {
  readonly id: string
  readonly key: string
  readonly name: string
  readonly createdAt: number
  readonly updatedAt: number
}

/** A role that members of organizations have. Its permissions apply in every organization. */
export interface OrganizationRole {
  readonly id: string
  readonly key: string
  readonly name: string
  readonly permissions: ReadonlyArray<ClerkPermission>
  readonly createdAt: number
  readonly updatedAt: number
}

/** Clerk's own permissions, which no custom one may look like and session tokens do not carry. */
export const isSystemPermission = (key: string): boolean => key.startsWith("org:sys_")

/** `org:reports:read` reads as "Reports read", `org:analyst` as "Analyst". */
const nameOf = (key: string): string => {
  const words = key
    .replace(/^org:(sys_)?/, "")
    .replaceAll(/[:_]/g, " ")
    .trim()
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`
}

/** The roles and permissions of the instance. */
export class OrganizationRoles extends Context.Service<
  OrganizationRoles,
  {
    /** Oldest first. */
    readonly all: Effect.Effect<ReadonlyArray<OrganizationRole>>
    readonly find: (key: string) => Effect.Effect<Option.Option<OrganizationRole>>
    /**
     * Makes the role, or gives it these permissions and, where there is one, this name. A permission that the instance
     * does not have yet is made first.
     */
    readonly set: (
      key: string,
      fields: { readonly name?: string | undefined; readonly permissions: ReadonlyArray<string> }
    ) => Effect.Effect<OrganizationRole>
    readonly remove: (key: string) => Effect.Effect<Option.Option<OrganizationRole>>
    /** Takes the permission from the roles that have it, and then from the instance. */
    readonly removePermission: (key: string) => Effect.Effect<Option.Option<ClerkPermission>>
    /** Back to the demo roles. */
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/OrganizationRoles") {
  static readonly layer = Layer.effect(
    OrganizationRoles,
    Effect.gen(function* () {
      const clock = yield* StandInClock
      const changes = yield* Changes
      const permissions = new Map<string, ClerkPermission>()
      const roles = new Map<string, OrganizationRole>()

      const newPermission = (key: string, now: number): ClerkPermission => {
        const made = { id: stableId("perm", key), key, name: nameOf(key), createdAt: now, updatedAt: now }
        permissions.set(key, made)
        return made
      }

      const reset = Effect.sync(() => {
        permissions.clear()
        roles.clear()
        for (const { key, name, permissions: keys } of demoRoles) {
          const held = keys.map((one) => permissions.get(one) ?? newPermission(one, founded))
          const id = stableId("role", key)
          roles.set(key, { id, key, name, permissions: held, createdAt: founded, updatedAt: founded })
        }
      })
      yield* reset

      const set: OrganizationRoles["Service"]["set"] = Effect.fnUntraced(function* (key, fields) {
        const now = yield* clock.nowMillis
        const held = yield* Effect.forEach(new Set(fields.permissions), (one) => {
          const known = permissions.get(one)
          if (known !== undefined) return Effect.succeed(known)
          const permission = newPermission(one, now)
          return Effect.as(changes.publish({ type: "permission.created", permission }), permission)
        })
        const before = roles.get(key)
        const role: OrganizationRole = {
          id: before?.id ?? stableId("role", key),
          key,
          name: fields.name ?? before?.name ?? nameOf(key),
          permissions: held,
          createdAt: before?.createdAt ?? now,
          updatedAt: now
        }
        roles.set(key, role)
        yield* changes.publish({ type: before === undefined ? "role.created" : "role.updated", role })
        return role
      })

      return OrganizationRoles.of({
        all: Effect.sync(() => Array.from(roles.values())),
        find: (key) => Effect.sync(() => Option.fromUndefinedOr(roles.get(key))),
        set,
        remove: Effect.fnUntraced(function* (key) {
          const role = roles.get(key)
          if (role === undefined) return Option.none()
          roles.delete(key)
          yield* changes.publish({ type: "role.deleted", role })
          return Option.some(role)
        }),
        removePermission: Effect.fnUntraced(function* (key) {
          const permission = permissions.get(key)
          if (permission === undefined) return Option.none()
          for (const role of Array.from(roles.values())) {
            if (!role.permissions.includes(permission)) continue
            yield* set(role.key, { permissions: role.permissions.map((one) => one.key).filter((one) => one !== key) })
          }
          permissions.delete(key)
          yield* changes.publish({ type: "permission.deleted", permission })
          return Option.some(permission)
        }),
        reset
      })
    })
  )
}
