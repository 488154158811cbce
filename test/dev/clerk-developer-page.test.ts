import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { request } from "node:http"
import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"

const fresh = Effect.gen(function* () {
  const standIn = yield* ClerkStandIn
  yield* standIn.admin.reset
  const post = (fields: Readonly<Record<string, string>>, origin: string | undefined = standIn.url) =>
    Effect.promise(() =>
      fetch(`${standIn.url}/`, {
        method: "POST",
        redirect: "manual",
        headers: origin === "" ? {} : { origin },
        body: new URLSearchParams(fields)
      })
    )
  const html = Effect.promise(async () => (await fetch(`${standIn.url}/`)).text())
  return { ...standIn, post, html }
})

/** The status that a browser gets that has come to the stand-in under another name. */
const statusAs = (url: string, host: string) =>
  Effect.promise(
    () =>
      new Promise<number | undefined>((resolve, reject) => {
        request(`${url}/`, { headers: { host } }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
          .on("error", reject)
          .end()
      })
  )

layer(ClerkStandIn.layer({ port: 0 }))("Clerk stand-in's page for developers", (it) => {
  it.effect("shows users, organizations, roles and sessions, without script", () =>
    Effect.gen(function* () {
      const { admin, html, url } = yield* fresh
      const session = yield* admin.createSession("analyst@example.com")
      const response = yield* Effect.promise(() => fetch(`${url}/`))
      assert.include(response.headers.get("content-security-policy"), "frame-ancestors 'none'")
      const shown = yield* html
      for (const text of [
        "admin@example.com</bdi>: role admin",
        "banned@example.com</bdi>: no role, banned",
        "Harbor Analytics",
        "org:reports:read",
        session.id,
        'name="viewport"'
      ]) {
        assert.include(shown, text)
      }
      assert.notInclude(shown, "<script")
    })
  )

  it.effect("makes every change that it has a form for, and goes back to the page", () =>
    Effect.gen(function* () {
      const { admin, html, post, users } = yield* fresh
      const user = users.member.id
      const { id: session } = yield* admin.createSession("analyst@example.com")
      const [, lumen, northwind] = yield* admin.organizations
      const organization = lumen?.id ?? ""
      const changes: ReadonlyArray<Readonly<Record<string, string>>> = [
        { change: "role", user, role: "premium" },
        { change: "public-metadata", user: users.premium.id, publicMetadata: '{"role":"vip"}' },
        { change: "lock", user },
        { change: "unlock", user },
        { change: "unban", user: users.banned.id },
        { change: "ban", user: users.banned.id },
        { change: "member-add", organization, user, role: "org:member" },
        { change: "member-role", organization, user, role: "org:analyst" },
        { change: "member-remove", organization: northwind?.id ?? "", user: users.admin.id },
        { change: "organization-create", name: "Blue", slug: "" },
        { change: "organization-rename", organization: "blue", name: "Azure", slug: "azure" },
        { change: "organization-delete", organization: "azure" },
        { change: "role-create", role: "org:editor", permissions: "org:pages:read org:pages:write" },
        { change: "role-permissions", role: "org:editor", permissions: "org:pages:read" },
        { change: "session-organization", session, organization: "" },
        { change: "session-end", session }
      ]
      for (const fields of changes) {
        assert.include(yield* html, `name="change" value="${fields["change"]}"`)
        const response = yield* post(fields)
        assert.strictEqual(response.status, 303, JSON.stringify(fields))
        assert.match(response.headers.get("location") ?? "", /^\/#/)
      }
      const after = new Map((yield* admin.users).map((one) => [one.id, one]))
      assert.deepEqual(after.get(users.member.id)?.publicMetadata, { role: "premium" })
      assert.deepEqual(after.get(users.premium.id)?.publicMetadata, { role: "vip" })
      const memberships = yield* admin.membershipsOf(user)
      assert.deepEqual(
        memberships.map(({ organization: { slug }, role }) => [slug, role]),
        [["lumen-labs", "org:analyst"]]
      )
      assert.isEmpty(yield* admin.membershipsOf(users.admin.id))
      const [ended] = yield* admin.sessionsOf(users.analyst.id)
      assert.deepInclude(ended, { status: "ended", organizationId: undefined })
      const editor = (yield* admin.roles).find(({ key }) => key === "org:editor")
      assert.deepEqual(
        editor?.permissions.map(({ key }) => key),
        ["org:pages:read"]
      )
    })
  )

  it.effect("says what was wrong with a form, and changes nothing", () =>
    Effect.gen(function* () {
      const { post, users } = yield* fresh
      for (const [fields, words] of [
        [{ change: "role", user: "user_nobody", role: "" }, "There is no user"],
        [{ change: "public-metadata", user: users.member.id, publicMetadata: "[1]" }, "is not a JSON object"],
        [{ change: "organization-create", name: "Lumen", slug: "lumen-labs" }, "is taken"],
        [{ change: "nothing" }, "could not be read"]
      ] as const) {
        const response = yield* post(fields)
        assert.strictEqual(response.status, 422)
        assert.include(yield* Effect.promise(() => response.text()), words)
      }
    })
  )

  it.effect("refuses forms of other sites, and other host names", () =>
    Effect.gen(function* () {
      const { admin, post, url, users } = yield* fresh
      const fields = { change: "ban", user: users.member.id }
      for (const origin of ["https://evil.example", "null", "", `${url}.evil.example`]) {
        assert.strictEqual((yield* post(fields, origin)).status, 403, origin)
      }
      assert.isFalse((yield* admin.users).find(({ id }) => id === users.member.id)?.banned)
      assert.strictEqual(yield* statusAs(url, "evil.example"), 403)
      assert.strictEqual(yield* statusAs(url, new URL(url).host), 200)
    })
  )

  it.effect("shows what people have entered as text", () =>
    Effect.gen(function* () {
      const { admin, html, users } = yield* fresh
      const nasty = '"><script>alert(1)</script>'
      yield* admin.setPublicMetadata(users.member.id, { role: nasty, note: "</textarea><script>" })
      yield* admin.createOrganization({ name: nasty, slug: "nasty" })
      yield* admin.addMember("nasty", users.member.id, "org:member")
      yield* admin.createRole("org:nasty", [], nasty)
      const { id } = yield* admin.createSession(users.member.id)
      const shown = yield* html
      assert.include(shown, id)
      assert.include(shown, "&#34;&#62;&#60;script&#62;alert(1)")
      assert.notInclude(shown, "<script")
      assert.notInclude(shown, "</textarea><script")
    })
  )
})
