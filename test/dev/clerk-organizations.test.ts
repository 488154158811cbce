import { createClerkClient } from "@clerk/backend"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as jose from "jose"
import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { mcpServerTemplate } from "../../dev/clerk/JwtTemplates.ts"
import { backendClient, refusedCall } from "./support/BackendClient.ts"
import { hookClient } from "./support/HookClient.ts"
import { oauthClient } from "./support/OAuthClient.ts"

const fresh = Effect.gen(function* () {
  const standIn = yield* ClerkStandIn
  yield* standIn.admin.reset
  return { ...standIn, clerk: yield* backendClient, hook: hookClient(standIn.url) }
})

const jwtTemplates = {
  "mcp-server": mcpServerTemplate("https://app.example.com"),
  tenant: { org: "{{org.id}}", slug: "{{org.slug}}", role: "{{org.role}}" }
}

layer(ClerkStandIn.layer({ port: 0, jwtTemplates }))("Clerk stand-in's organizations", (it) => {
  it.effect("has one person in two of them, with a permission in one", () =>
    Effect.gen(function* () {
      const { clerk, users } = yield* fresh
      const { data } = yield* Effect.promise(() =>
        clerk.users.getOrganizationMembershipList({ userId: users.analyst.id })
      )
      assert.deepEqual(
        data.map(({ organization, permissions, role }) => [
          organization.slug,
          role,
          permissions.includes("org:reports:read")
        ]),
        [
          ["harbor-analytics", "org:analyst", true],
          ["northwind-studio", "org:member", false]
        ]
      )
    })
  )

  it.effect("lists and finds organizations and their members", () =>
    Effect.gen(function* () {
      const { clerk, settings, url, users } = yield* fresh
      const { organizations } = clerk
      const list = yield* Effect.promise(() => organizations.getOrganizationList({ includeMembersCount: true }))
      assert.deepEqual(
        list.data.map(({ membersCount, slug }) => [slug, membersCount]),
        [
          ["harbor-analytics", 1],
          ["lumen-labs", 0],
          ["northwind-studio", 2]
        ]
      )
      assert.strictEqual(list.totalCount, 3)
      const page = yield* Effect.promise(() => organizations.getOrganizationList({ limit: 1, offset: 1 }))
      assert.deepEqual([page.totalCount, page.data.map(({ slug }) => slug)], [3, ["lumen-labs"]])
      const bySlug = yield* Effect.promise(() => organizations.getOrganization({ slug: "northwind-studio" }))
      const byId = yield* Effect.promise(() => organizations.getOrganization({ organizationId: bySlug.id }))
      assert.deepEqual([byId.name, byId.membersCount], ["Northwind Studio", undefined])
      const members = (role?: Array<string>) =>
        Effect.promise(() =>
          organizations.getOrganizationMembershipList({
            organizationId: byId.id,
            ...(role === undefined ? {} : { role })
          })
        )
      assert.deepEqual(
        (yield* members()).data.map(({ publicUserData }) => publicUserData?.userId),
        [users.analyst.id, users.admin.id]
      )
      assert.deepEqual(
        (yield* members(["org:admin"])).data.map(({ publicUserData }) => publicUserData?.userId),
        [users.admin.id]
      )
      const everybody: unknown = yield* Effect.promise(async () => {
        const headers = { authorization: `Bearer ${settings.CLERK_SECRET_KEY}` }
        return (await fetch(`${url}/v1/organization_memberships?limit=2`, { headers })).json()
      })
      assert.propertyVal(everybody, "total_count", 3)
      const unknown = yield* refusedCall(() => organizations.getOrganization({ slug: "nobody" }))
      assert.strictEqual(unknown.status, 404)
    })
  )

  it.effect("session tokens carry the active organization, as the SDK reads them", () =>
    Effect.gen(function* () {
      const { admin, clerk, settings, url } = yield* fresh
      const reader = createClerkClient({
        secretKey: settings.CLERK_SECRET_KEY,
        publishableKey: settings.CLERK_PUBLISHABLE_KEY,
        apiUrl: url,
        telemetry: { disabled: true }
      })
      yield* admin.setRolePermissions("org:analyst", ["org:reports:read", "org:reports:write", "org:billing:read"])
      const session = yield* admin.createSession("analyst@example.com")
      const auth = Effect.gen(function* () {
        const { jwt } = yield* Effect.promise(() => clerk.sessions.getToken(session.id))
        const state = yield* Effect.promise(() =>
          reader.authenticateRequest(
            new Request("http://localhost:3000/", { headers: { authorization: `Bearer ${jwt}` } })
          )
        )
        const found = state.toAuth()
        if (found === null || found.tokenType !== "session_token") return assert.fail("no session token")
        const may = (permission: string) => found.has({ permission })
        return { slug: found.orgSlug, role: found.orgRole, may }
      })
      const harbor = yield* auth
      assert.deepInclude(harbor, { slug: "harbor-analytics", role: "org:analyst" })
      assert.deepEqual(
        ["org:reports:read", "org:reports:write", "org:billing:read", "org:billing:write"].map(harbor.may),
        [true, true, true, false]
      )
      yield* admin.setActiveOrganization(session.id, "northwind-studio")
      const northwind = yield* auth
      assert.deepInclude(northwind, { slug: "northwind-studio", role: "org:member" })
      assert.isFalse(northwind.may("org:reports:read"))
      const { jwt } = yield* Effect.promise(() => clerk.sessions.getToken(session.id, "tenant"))
      const claims = jose.decodeJwt(jwt)
      assert.deepInclude(claims, { slug: "northwind-studio", role: "org:member" })
      yield* admin.setActiveOrganization(session.id, undefined)
      assert.isUndefined((yield* auth).slug)
    })
  )

  it.effect("opens sessions for organizations that the user belongs to only", () =>
    Effect.gen(function* () {
      const { admin, clerk, settings, url, users } = yield* fresh
      const [harbor, , northwind] = yield* admin.organizations
      const open = (userId: string, organization = "") =>
        Effect.promise(() =>
          fetch(`${url}/v1/sessions`, {
            method: "POST",
            headers: { authorization: `Bearer ${settings.CLERK_SECRET_KEY}` },
            body: JSON.stringify({ user_id: userId, active_organization_id: organization })
          })
        )
      assert.strictEqual((yield* open(users.analyst.id, northwind?.id)).status, 200)
      assert.strictEqual((yield* open(users.admin.id, harbor?.id)).status, 422)
      const session = yield* admin.createSession("analyst@example.com")
      yield* admin.removeMember("harbor-analytics", "analyst@example.com")
      const left = yield* Effect.promise(() => clerk.sessions.getSession(session.id))
      assert.isNull(left.lastActiveOrganizationId)
    })
  )

  it.effect("locks users, who cannot sign in", () =>
    Effect.gen(function* () {
      const { admin, clerk, users } = yield* fresh
      const session = yield* admin.createSession("member@example.com")
      assert.isTrue((yield* Effect.promise(() => clerk.users.lockUser(users.member.id))).locked)
      yield* Effect.promise(() => clerk.sessions.getToken(session.id))
      const { back } = yield* (yield* oauthClient).walk("member@example.com")
      assert.strictEqual(back.status, 422)
      assert.include(back.html, "This account is locked")
      yield* admin.unlock("member@example.com")
      assert.isFalse((yield* Effect.promise(() => clerk.users.getUser(users.member.id))).locked)
    })
  )

  it.effect("changes organizations, members and roles by hooks over HTTP", () =>
    Effect.gen(function* () {
      const { admin, clerk, hook, users } = yield* fresh
      const session = yield* admin.createSession("analyst@example.com")
      const user = "member@example.com"
      const steps: ReadonlyArray<readonly [string, unknown, number?]> = [
        ["users/create", { email: "new@example.com", firstName: "Nia", role: "premium" }],
        ["users/create", { email: "new@example.com" }, 422],
        ["users/lock", { user }],
        ["users/unlock", { user }],
        ["organizations/create", { name: "Blue Harbour & Sons" }],
        ["organizations/create", { name: "Another", slug: "lumen-labs" }, 422],
        ["organizations/rename", { organization: "blue-harbour-sons", name: "Blue", slug: "blue" }],
        ["organizations/rename", { organization: "blue", slug: "lumen-labs" }, 422],
        ["organizations/members/add", { organization: "blue", user, role: "org:member" }],
        ["organizations/members/add", { organization: "blue", user, role: "org:member" }, 422],
        ["organizations/members/add", { organization: "blue", user, role: "org:nothing" }, 404],
        ["organizations/members/role", { organization: "blue", user, role: "org:admin" }],
        ["organizations/members/role", { organization: "lumen-labs", user, role: "org:admin" }, 404],
        ["organizations/members/remove", { organization: "northwind-studio", user: "analyst@example.com" }],
        ["organizations/delete", { organization: "lumen-labs" }],
        ["organizations/delete", { organization: "lumen-labs" }, 404],
        ["roles/create", { role: "org:editor", permissions: ["org:pages:write"] }],
        ["roles/create", { role: "editor", permissions: [] }, 422],
        ["roles/permissions", { role: "org:admin", permissions: ["org:pages:write"] }],
        ["roles/permissions", { role: "org:admin", permissions: ["pages"] }, 422],
        ["roles/delete", { role: "org:admin" }, 422],
        ["roles/delete", { role: "org:editor" }],
        ["sessions/organization", { session: session.id, organization: null }],
        ["sessions/organization", { session: session.id, organization: "blue" }, 404]
      ]
      for (const [path, body, status = 200] of steps) {
        assert.strictEqual((yield* hook(path, body)).status, status, `${path} ${JSON.stringify(body)}`)
      }
      const { data } = yield* Effect.promise(() =>
        clerk.users.getOrganizationMembershipList({ userId: users.member.id })
      )
      assert.deepEqual(
        data.map(({ organization, permissions, role }) => [organization.name, role, permissions]),
        [["Blue", "org:admin", ["org:pages:write"]]]
      )
      assert.isTrue((yield* hook("permissions/delete", { permission: "org:pages:write" })).ok)
      const [role] = yield* admin.roles
      assert.deepEqual([role?.key, role?.permissions], ["org:admin", []])
    })
  )
})
