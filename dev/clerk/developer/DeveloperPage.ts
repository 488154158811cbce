import * as Predicate from "effect/Predicate"
import type { ClerkSession } from "../ClerkSessions.ts"
import type { ClerkUser } from "../Directory.ts"
import type { OrganizationRole } from "../OrganizationRoles.ts"
import type { Membership, Organization } from "../Organizations.ts"
import { escapeHtml, pageFrame } from "../PageFrame.ts"
import { choiceField, form, textArea, textField } from "./DeveloperForms.ts"

/** Everything that the page shows. */
export interface Instance {
  readonly users: ReadonlyArray<{
    readonly user: ClerkUser
    readonly memberships: ReadonlyArray<Membership>
    readonly sessions: ReadonlyArray<ClerkSession>
  }>
  readonly organizations: ReadonlyArray<{
    readonly organization: Organization
    readonly members: ReadonlyArray<Membership>
  }>
  readonly roles: ReadonlyArray<OrganizationRole>
}

type Choices = ReadonlyArray<readonly [string, string]>

const code = (text: string): string => `<code>${escapeHtml(text)}</code>`

const roleOf = ({ publicMetadata }: ClerkUser): string => {
  const role = publicMetadata["role"]
  return role === undefined ? "" : Predicate.isString(role) ? role : JSON.stringify(role)
}

const permissionsOf = (permissions: ReadonlyArray<string>): string =>
  permissions.length === 0 ? "no permission" : permissions.map(code).join(" ")

const memberForms = (membership: Membership, roleChoices: Choices): string => {
  const of = { organization: membership.organization.id, user: membership.userId }
  return `${form("member-role", of, "Change role", choiceField("role", "Role", roleChoices, membership.role))}
${form("member-remove", of, "Remove from organization")}`
}

const membershipOf = (membership: Membership, roleChoices: Choices): string =>
  `<li><bdi>${escapeHtml(membership.organization.name)}</bdi> ${code(membership.organization.slug)}: ${code(
    membership.role
  )}, ${permissionsOf(membership.permissions)}
${memberForms(membership, roleChoices)}</li>`

const sessionOf = (session: ClerkSession, memberships: ReadonlyArray<Membership>): string => {
  const active = memberships.find(({ organization }) => organization.id === session.organizationId)?.organization
  const choices: Choices = [
    ["", "personal account"],
    ...memberships.map(({ organization }) => [organization.id, organization.name] as const)
  ]
  const said = `${code(session.id)} ${escapeHtml(session.status)}, <bdi>${escapeHtml(active?.name ?? "personal account")}</bdi>`
  if (session.status !== "active") return `<li>${said}</li>`
  const chosen = session.organizationId ?? ""
  return `<li>${said}
${form("session-organization", { session: session.id }, "Set active organization", choiceField("organization", "Active organization", choices, chosen))}
${form("session-end", { session: session.id }, "End session")}</li>`
}

const userOf = ({ memberships, sessions, user }: Instance["users"][number], instance: Instance): string => {
  const roleChoices = rolesToChoose(instance)
  const of = { user: user.id }
  const standing = [
    roleOf(user) === "" ? "no role" : `role ${roleOf(user)}`,
    ...(user.banned ? ["banned"] : []),
    ...(user.locked ? ["locked"] : []),
    `${memberships.length} organization${memberships.length === 1 ? "" : "s"}`,
    `${sessions.filter(({ status }) => status === "active").length} active sessions`
  ].join(", ")
  const held = new Set(memberships.map(({ organization }) => organization.id))
  const others = instance.organizations
    .filter(({ organization }) => !held.has(organization.id))
    .map(({ organization }) => [organization.id, organization.name] as const)
  return `<details id="${escapeHtml(user.id)}">
<summary><bdi>${escapeHtml(user.email)}</bdi>: ${escapeHtml(standing)}</summary>
<p>${code(user.id)}</p>
${form("role", of, "Set role", textField("role", "Role (public metadata; empty for none)", roleOf(user)))}
${form("public-metadata", of, "Replace public metadata", textArea("publicMetadata", "Public metadata (JSON)", JSON.stringify(user.publicMetadata)))}
${user.banned ? form("unban", of, "Lift the ban") : form("ban", of, "Ban")}
${user.locked ? form("unlock", of, "Unlock") : form("lock", of, "Lock")}
<h3>Organizations of ${escapeHtml(user.email)}</h3>
<ul>${memberships.map((membership) => membershipOf(membership, roleChoices)).join("\n")}</ul>
${
  others.length === 0
    ? ""
    : form(
        "member-add",
        of,
        "Add to organization",
        choiceField("organization", "Organization", others) +
          choiceField("role", "Role there", roleChoices, "org:member")
      )
}
<h3>Clerk sessions of ${escapeHtml(user.email)}</h3>
<ul>${sessions.map((session) => sessionOf(session, memberships)).join("\n")}</ul>
</details>`
}

const organizationOf = ({ members, organization }: Instance["organizations"][number], instance: Instance): string => {
  const emails = new Map(instance.users.map(({ user }) => [user.id, user.email]))
  const of = { organization: organization.id }
  const roleChoices = rolesToChoose(instance)
  return `<details id="${escapeHtml(organization.id)}">
<summary><bdi>${escapeHtml(organization.name)}</bdi>: ${members.length} member${members.length === 1 ? "" : "s"}</summary>
<p>${code(organization.slug)} ${code(organization.id)}</p>
<ul>${members
    .map(
      (membership) =>
        `<li><bdi>${escapeHtml(emails.get(membership.userId) ?? membership.userId)}</bdi>: ${code(membership.role)}
${memberForms(membership, roleChoices)}</li>`
    )
    .join("\n")}</ul>
${form("organization-rename", of, "Rename", textField("name", "Name", organization.name) + textField("slug", "Slug", organization.slug))}
${form("organization-delete", of, "Delete organization")}
</details>`
}

const rolesToChoose = ({ roles }: Instance): Choices => roles.map(({ key, name }) => [key, `${name} (${key})`] as const)

const permissionField = (value: string): string =>
  textField("permissions", "Permissions, with spaces between", value, "org:reports:read")

const roleSection = ({ key, name, permissions }: OrganizationRole): string =>
  `<details id="${escapeHtml(key)}">
<summary><bdi>${escapeHtml(name)}</bdi> ${code(key)}: ${permissionsOf(permissions.map((one) => one.key))}</summary>
${form("role-permissions", { role: key }, "Set permissions", permissionField(permissions.map((one) => one.key).join(" ")))}
</details>`

/** The page on which a developer changes what the instance holds. `problem` is what was wrong with the last form. */
export const developerPage = (instance: Instance, problem?: string): string =>
  pageFrame(
    problem === undefined ? "Local Clerk stand-in" : "Error: local Clerk stand-in",
    `<h1>Local Clerk stand-in</h1>
<p class="notice">For development only. What you change here counts at once, as a change in Clerk's dashboard does.</p>
${problem === undefined ? "" : `<p class="error" role="alert">${escapeHtml(problem)}</p>`}
<h2>Users</h2>
${instance.users.map((one) => userOf(one, instance)).join("\n")}
<h2>Organizations</h2>
${instance.organizations.map((one) => organizationOf(one, instance)).join("\n")}
${form("organization-create", {}, "Create organization", textField("name", "Name of a new organization", "") + textField("slug", "Slug (empty to make it of the name)", ""))}
<h2>Roles in organizations</h2>
${instance.roles.map(roleSection).join("\n")}
${form("role-create", {}, "Create role", textField("role", "Key of a new role", "", "org:editor") + permissionField(""))}`
  )
