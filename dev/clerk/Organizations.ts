import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Changes } from "./Changes.ts"
import { ClerkSessions } from "./ClerkSessions.ts"
import { demoOrganizations } from "./DemoOrganizations.ts"
import { founded } from "./DemoUsers.ts"
import { stableId, type UserId } from "./Ids.ts"
import { OrganizationRoles } from "./OrganizationRoles.ts"
import { StandInClock } from "./StandInClock.ts"

/** An organization of the instance; times are milliseconds since the epoch. */
export interface Organization {
  readonly id: string
  readonly name: string
  readonly slug: string
  readonly createdAt: number
  readonly updatedAt: number
}

/** A user's place in an organization, with what follows from the role. */
export interface Membership {
  readonly id: string
  readonly userId: UserId
  readonly organization: Organization
  readonly role: string
  readonly roleName: string
  readonly permissions: ReadonlyArray<string>
  readonly createdAt: number
  readonly updatedAt: number
}

/** `permissions` stand in place of the role's where a hook has set them for this member alone. */
interface Place {
  readonly userId: UserId
  readonly role: string
  readonly permissions: ReadonlyArray<string> | undefined
  readonly createdAt: number
  readonly updatedAt: number
}

type PlaceChange = Pick<Place, "role"> & Partial<Pick<Place, "permissions">>

/** The organizations of the instance and who belongs to them. */
export class Organizations extends Context.Service<
  Organizations,
  {
    /** Newest first, as Clerk lists them. */
    readonly all: Effect.Effect<ReadonlyArray<Organization>>
    readonly find: (idOrSlug: string) => Effect.Effect<Option.Option<Organization>>
    readonly create: (fields: {
      readonly id: string
      readonly name: string
      readonly slug: string
    }) => Effect.Effect<Organization>
    readonly rename: (
      id: string,
      fields: { readonly name?: string | undefined; readonly slug?: string | undefined }
    ) => Effect.Effect<Option.Option<Organization>>
    /** Its memberships end with it, and it is the active one of no session any more. */
    readonly remove: (id: string) => Effect.Effect<Option.Option<Organization>>
    readonly membership: (organizationId: string, userId: string) => Effect.Effect<Option.Option<Membership>>
    /** Newest first, as Clerk lists them. The first one is the active one of new sessions. */
    readonly membershipsOf: (userId: string) => Effect.Effect<ReadonlyArray<Membership>>
    /** Newest first. */
    readonly members: (organizationId: string) => Effect.Effect<ReadonlyArray<Membership>>
    readonly memberCount: (organizationId: string) => number
    /** Adds the member, or changes the role of one. */
    readonly setMember: (organization: Organization, userId: UserId, change: PlaceChange) => Effect.Effect<Membership>
    readonly removeMember: (organizationId: string, userId: UserId) => Effect.Effect<Option.Option<Membership>>
    readonly removeAllOf: (userId: UserId) => Effect.Effect<void>
    /** Back to the demo organizations. */
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/Organizations") {
  static readonly layer = Layer.effect(
    Organizations,
    Effect.gen(function* () {
      const clock = yield* StandInClock
      const changes = yield* Changes
      const sessions = yield* ClerkSessions
      const roles = yield* OrganizationRoles
      const organizations = new Map<string, Organization>()
      /** By user and organization, the oldest first. */
      const places = new Map<string, Map<string, Place>>()

      const placesOf = (userId: UserId): Map<string, Place> => {
        const known = places.get(userId) ?? new Map<string, Place>()
        places.set(userId, known)
        return known
      }

      const reset = Effect.sync(() => {
        organizations.clear()
        places.clear()
        demoOrganizations.forEach(({ id, members, name, slug }, position) => {
          const at = founded + position * 60_000
          organizations.set(id, { id, name, slug, createdAt: at, updatedAt: at })
          for (const [user, role] of members) {
            placesOf(user.id).set(id, { userId: user.id, role, permissions: undefined, createdAt: at, updatedAt: at })
          }
        })
      })
      yield* reset

      const find = (idOrSlug: string) =>
        Effect.sync(() =>
          Option.fromUndefinedOr(
            organizations.get(idOrSlug) ?? Array.from(organizations.values()).find(({ slug }) => slug === idOrSlug)
          )
        )

      const asMembership = Effect.fnUntraced(function* (organization: Organization, place: Place) {
        const role = yield* roles.find(place.role)
        const ofRole = Option.match(role, { onNone: () => [], onSome: (one) => one.permissions.map(({ key }) => key) })
        return {
          id: stableId("orgmem", `${organization.id} ${place.userId}`),
          userId: place.userId,
          organization,
          role: place.role,
          roleName: Option.match(role, { onNone: () => place.role, onSome: ({ name }) => name }),
          permissions: place.permissions ?? ofRole,
          createdAt: place.createdAt,
          updatedAt: place.updatedAt
        } satisfies Membership
      })

      const membership = Effect.fnUntraced(function* (organizationId: string, userId: string) {
        const organization = organizations.get(organizationId)
        const place = places.get(userId)?.get(organizationId)
        if (organization === undefined || place === undefined) return Option.none()
        return Option.some(yield* asMembership(organization, place))
      })

      const everyMembership = Effect.fnUntraced(function* (
        wanted: (userId: string, organizationId: string) => boolean
      ) {
        const keys = Array.from(places).flatMap(([userId, held]) =>
          Array.from(held.keys(), (organizationId) => ({ userId, organizationId }))
        )
        const found = yield* Effect.forEach(
          keys.filter(({ organizationId, userId }) => wanted(userId, organizationId)),
          ({ organizationId, userId }) => membership(organizationId, userId)
        )
        return found.flatMap(Option.toArray).toReversed()
      })

      const removeMember: Organizations["Service"]["removeMember"] = Effect.fnUntraced(function* (id, userId) {
        const ended = yield* membership(id, userId)
        if (Option.isNone(ended)) return ended
        places.get(userId)?.delete(id)
        yield* sessions.leaveOrganization(id, userId)
        yield* changes.publish({ type: "organizationMembership.deleted", membership: ended.value })
        return ended
      })

      return Organizations.of({
        all: Effect.sync(() => Array.from(organizations.values()).toReversed()),
        find,
        create: Effect.fnUntraced(function* (fields) {
          const now = yield* clock.nowMillis
          const organization: Organization = { ...fields, createdAt: now, updatedAt: now }
          organizations.set(organization.id, organization)
          yield* changes.publish({ type: "organization.created", organization })
          return organization
        }),
        rename: Effect.fnUntraced(function* (id, { name, slug }) {
          const before = organizations.get(id)
          if (before === undefined) return Option.none()
          const updatedAt = yield* clock.nowMillis
          const organization = { ...before, name: name ?? before.name, slug: slug ?? before.slug, updatedAt }
          organizations.set(id, organization)
          yield* changes.publish({ type: "organization.updated", organization })
          return Option.some(organization)
        }),
        remove: Effect.fnUntraced(function* (id) {
          const organization = organizations.get(id)
          if (organization === undefined) return Option.none()
          const members = yield* everyMembership((_, organizationId) => organizationId === id)
          yield* Effect.forEach(members, ({ userId }) => removeMember(id, userId), { discard: true })
          organizations.delete(id)
          yield* changes.publish({ type: "organization.deleted", organization })
          return Option.some(organization)
        }),
        membership,
        membershipsOf: (userId) => everyMembership((one) => one === userId),
        members: (organizationId) => everyMembership((_, one) => one === organizationId),
        memberCount: (id) => Array.from(places.values()).filter((held) => held.has(id)).length,
        setMember: Effect.fnUntraced(function* (organization, userId, { permissions, role }) {
          const now = yield* clock.nowMillis
          const held = placesOf(userId)
          const before = held.get(organization.id)
          const place: Place = { userId, role, permissions, createdAt: before?.createdAt ?? now, updatedAt: now }
          held.set(organization.id, place)
          const changed = yield* asMembership(organization, place)
          const happened = before === undefined ? "created" : "updated"
          yield* changes.publish({ type: `organizationMembership.${happened}`, membership: changed })
          return changed
        }),
        removeMember,
        removeAllOf: Effect.fnUntraced(function* (userId) {
          const ids = Array.from(places.get(userId)?.keys() ?? [])
          yield* Effect.forEach(ids, (id) => removeMember(id, userId), { discard: true })
        }),
        reset
      })
    })
  )
}
