import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Schema from "effect/Schema"
import { membershipJson, organizationJson, permissionJson, roleJson } from "../backend-api/OrganizationJson.ts"
import { sessionJson } from "../backend-api/Representation.ts"
import { Directory } from "../Directory.ts"
import { type Membership, type Organization, Organizations } from "../Organizations.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { orUnknown } from "./HookError.ts"
import { hookRoutes } from "./HookRoute.ts"
import { StandInAdmin } from "./StandInAdmin.ts"

const Name = Schema.NonEmptyString
const OrganizationNamed = Schema.Struct({ organization: Name })
const Member = Schema.Struct({ organization: Name, user: Name })
const Place = Schema.Struct({ organization: Name, user: Name, role: Name })
const Permissions = Schema.Array(Name)

/** The hooks on organizations, roles and permissions over HTTP. */
export const organizationHookRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const admin = yield* StandInAdmin
    const directory = yield* Directory
    const organizations = yield* Organizations
    const { origin } = yield* StandInSettings
    const { get, post } = yield* hookRoutes(router)

    const asOrganization = (organization: Organization) =>
      organizationJson(organization, origin, organizations.memberCount(organization.id))

    const asMembership = <E>(membership: Effect.Effect<Membership, E>) =>
      Effect.gen(function* () {
        const found = yield* membership
        const user = yield* orUnknown(yield* directory.find(found.userId), "user", found.userId)
        return membershipJson(found, user, origin, organizations.memberCount(found.organization.id))
      })

    const organizationResult = <E>(organization: Effect.Effect<Organization, E>) =>
      Effect.map(organization, asOrganization)

    yield* get(
      "organizations",
      Effect.map(admin.organizations, (all) => all.map(asOrganization))
    )
    yield* post("organizations/create", Schema.Struct({ name: Name, slug: Schema.optionalKey(Name) }), (fields) =>
      organizationResult(admin.createOrganization(fields))
    )
    yield* post(
      "organizations/rename",
      Schema.Struct({ organization: Name, name: Schema.optionalKey(Name), slug: Schema.optionalKey(Name) }),
      ({ organization, ...fields }) => organizationResult(admin.renameOrganization(organization, fields))
    )
    yield* post("organizations/delete", OrganizationNamed, ({ organization }) =>
      organizationResult(admin.deleteOrganization(organization))
    )
    yield* post("organizations/members/add", Place, ({ organization, role, user }) =>
      asMembership(admin.addMember(organization, user, role))
    )
    yield* post("organizations/members/role", Place, ({ organization, role, user }) =>
      asMembership(admin.setMemberRole(organization, user, role))
    )
    yield* post("organizations/members/remove", Member, ({ organization, user }) =>
      asMembership(admin.removeMember(organization, user))
    )

    yield* get(
      "roles",
      Effect.map(admin.roles, (all) => all.map(roleJson))
    )
    yield* post(
      "roles/create",
      Schema.Struct({ role: Name, name: Schema.optionalKey(Name), permissions: Permissions }),
      ({ name, permissions, role }) => Effect.map(admin.createRole(role, permissions, name), roleJson)
    )
    yield* post("roles/permissions", Schema.Struct({ role: Name, permissions: Permissions }), ({ permissions, role }) =>
      Effect.map(admin.setRolePermissions(role, permissions), roleJson)
    )
    yield* post("roles/delete", Schema.Struct({ role: Name }), ({ role }) =>
      Effect.map(admin.deleteRole(role), roleJson)
    )
    yield* post("permissions/delete", Schema.Struct({ permission: Name }), ({ permission }) =>
      Effect.map(admin.deletePermission(permission), permissionJson)
    )
    yield* post(
      "sessions/organization",
      Schema.Struct({ session: Name, organization: Schema.NullOr(Name) }),
      ({ organization, session }) =>
        Effect.map(admin.setActiveOrganization(session, organization ?? undefined), sessionJson)
    )
  })
)
