import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type ClerkSession, ClerkSessions } from "../ClerkSessions.ts"
import { Directory } from "../Directory.ts"
import { randomId } from "../Ids.ts"
import { type ClerkPermission, type OrganizationRole, OrganizationRoles } from "../OrganizationRoles.ts"
import { type Membership, type Organization, Organizations } from "../Organizations.ts"
import { HookRefused, orUnknown, type UnknownSubject } from "./HookError.ts"

/** An organization is named by its id or slug, a user by id or e-mail address, a role by its key. */
export interface OrganizationHooks {
  /** Newest first. */
  readonly organizations: Effect.Effect<ReadonlyArray<Organization>>
  /** Without a slug, one is made of the name. Refused for a slug that is taken or is none. */
  readonly createOrganization: (fields: {
    readonly name: string
    readonly slug?: string | undefined
  }) => Effect.Effect<Organization, HookRefused>
  readonly renameOrganization: (
    organization: string,
    fields: { readonly name?: string | undefined; readonly slug?: string | undefined }
  ) => Effect.Effect<Organization, UnknownSubject | HookRefused>
  /** Ends its memberships, and it is the active one of no session any more. */
  readonly deleteOrganization: (organization: string) => Effect.Effect<Organization, UnknownSubject>
  /** Newest first. */
  readonly membersOf: (organization: string) => Effect.Effect<ReadonlyArray<Membership>, UnknownSubject>
  /** Newest first. */
  readonly membershipsOf: (user: string) => Effect.Effect<ReadonlyArray<Membership>, UnknownSubject>
  readonly addMember: (
    organization: string,
    user: string,
    role: string
  ) => Effect.Effect<Membership, UnknownSubject | HookRefused>
  readonly setMemberRole: (
    organization: string,
    user: string,
    role: string
  ) => Effect.Effect<Membership, UnknownSubject>
  readonly removeMember: (organization: string, user: string) => Effect.Effect<Membership, UnknownSubject>
  /** Oldest first. */
  readonly roles: Effect.Effect<ReadonlyArray<OrganizationRole>>
  readonly createRole: (
    role: string,
    permissions: ReadonlyArray<string>,
    name?: string
  ) => Effect.Effect<OrganizationRole, HookRefused>
  /** For all members with this role, in every organization. Permissions that the instance does not have are made. */
  readonly setRolePermissions: (
    role: string,
    permissions: ReadonlyArray<string>
  ) => Effect.Effect<OrganizationRole, UnknownSubject | HookRefused>
  /** Refused while somebody has it. */
  readonly deleteRole: (role: string) => Effect.Effect<OrganizationRole, UnknownSubject | HookRefused>
  /** Takes it from every role. */
  readonly deletePermission: (permission: string) => Effect.Effect<ClerkPermission, UnknownSubject>
  /** The organization that the session's tokens are for from now on; none is the personal account. */
  readonly setActiveOrganization: (
    session: string,
    organization: string | undefined
  ) => Effect.Effect<ClerkSession, UnknownSubject>
}

const slugOf = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "")

const refusedFor = (parameter: string, explanation: string) => new HookRefused({ parameter, explanation })

const checkPermissions = (permissions: ReadonlyArray<string>) => {
  const wrong = permissions.find((key) => !/^org:[a-z0-9_]+:[a-z0-9_]+$/.test(key))
  return wrong === undefined
    ? Effect.void
    : Effect.fail(refusedFor("permissions", `"${wrong}" is none: a permission looks like org:reports:read`))
}

/** The hooks of a running stand-in on organizations, roles and permissions. */
export const organizationHooks = Effect.gen(function* () {
  const directory = yield* Directory
  const organizations = yield* Organizations
  const roles = yield* OrganizationRoles
  const sessions = yield* ClerkSessions

  const organizationNamed = Effect.fnUntraced(function* (name: string) {
    return yield* orUnknown(yield* organizations.find(name), "organization", name)
  })
  const userNamed = Effect.fnUntraced(function* (name: string) {
    return yield* orUnknown(yield* directory.findNamed(name), "user", name)
  })
  const roleNamed = Effect.fnUntraced(function* (key: string) {
    return yield* orUnknown(yield* roles.find(key), "role", key)
  })

  const checkSlug = Effect.fnUntraced(function* (slug: string, own?: Organization) {
    if (!/^[a-z0-9-]+$/.test(slug)) return yield* refusedFor("slug", "a slug has small letters, digits and dashes")
    const taken = yield* organizations.find(slug)
    if (Option.isSome(taken) && taken.value.id !== own?.id) return yield* refusedFor("slug", `"${slug}" is taken`)
  })

  const place = Effect.fnUntraced(function* (organizationName: string, userName: string) {
    const organization = yield* organizationNamed(organizationName)
    const user = yield* userNamed(userName)
    return { organization, user, membership: yield* organizations.membership(organization.id, user.id) }
  })

  const hooks: OrganizationHooks = {
    organizations: organizations.all,
    createOrganization: Effect.fnUntraced(function* ({ name, slug = slugOf(name) }) {
      yield* checkSlug(slug)
      return yield* organizations.create({ id: randomId("org"), name, slug })
    }),
    renameOrganization: Effect.fnUntraced(function* (organization, fields) {
      const known = yield* organizationNamed(organization)
      if (fields.slug !== undefined) yield* checkSlug(fields.slug, known)
      return yield* orUnknown(yield* organizations.rename(known.id, fields), "organization", organization)
    }),
    deleteOrganization: Effect.fnUntraced(function* (organization) {
      const { id } = yield* organizationNamed(organization)
      return yield* orUnknown(yield* organizations.remove(id), "organization", organization)
    }),
    membersOf: (organization) => Effect.flatMap(organizationNamed(organization), ({ id }) => organizations.members(id)),
    membershipsOf: (user) => Effect.flatMap(userNamed(user), ({ id }) => organizations.membershipsOf(id)),
    addMember: Effect.fnUntraced(function* (organizationName, userName, role) {
      const { membership, organization, user } = yield* place(organizationName, userName)
      const { key } = yield* roleNamed(role)
      if (Option.isSome(membership)) return yield* refusedFor("user", "is a member of this organization already")
      return yield* organizations.setMember(organization, user.id, { role: key })
    }),
    setMemberRole: Effect.fnUntraced(function* (organizationName, userName, role) {
      const { membership, organization, user } = yield* place(organizationName, userName)
      const { key } = yield* roleNamed(role)
      yield* orUnknown(membership, "membership", userName)
      return yield* organizations.setMember(organization, user.id, { role: key })
    }),
    removeMember: Effect.fnUntraced(function* (organizationName, userName) {
      const { organization, user } = yield* place(organizationName, userName)
      return yield* orUnknown(yield* organizations.removeMember(organization.id, user.id), "membership", userName)
    }),
    roles: roles.all,
    createRole: Effect.fnUntraced(function* (role, permissions, name) {
      if (!/^org:[a-z0-9_]+$/.test(role)) return yield* refusedFor("role", "a role's key looks like org:analyst")
      if (Option.isSome(yield* roles.find(role))) return yield* refusedFor("role", `"${role}" is taken`)
      yield* checkPermissions(permissions)
      return yield* roles.set(role, { name, permissions })
    }),
    setRolePermissions: Effect.fnUntraced(function* (role, permissions) {
      const { key } = yield* roleNamed(role)
      yield* checkPermissions(permissions)
      return yield* roles.set(key, { permissions })
    }),
    deleteRole: Effect.fnUntraced(function* (role) {
      const { key } = yield* roleNamed(role)
      const members = yield* Effect.forEach(yield* organizations.all, ({ id }) => organizations.members(id))
      if (members.flat().some((member) => member.role === key)) {
        return yield* refusedFor("role", "there are members with this role")
      }
      return yield* orUnknown(yield* roles.remove(key), "role", role)
    }),
    deletePermission: Effect.fnUntraced(function* (permission) {
      return yield* orUnknown(yield* roles.removePermission(permission), "permission", permission)
    }),
    setActiveOrganization: Effect.fnUntraced(function* (session, organizationName) {
      const { id, userId } = yield* orUnknown(yield* sessions.find(session), "session", session)
      if (organizationName === undefined) {
        return yield* orUnknown(yield* sessions.setOrganization(id, undefined), "session", session)
      }
      const { membership, organization } = yield* place(organizationName, userId)
      yield* orUnknown(membership, "membership", userId)
      return yield* orUnknown(yield* sessions.setOrganization(id, organization.id), "session", session)
    })
  }
  return hooks
})
