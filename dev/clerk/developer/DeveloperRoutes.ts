import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import { HookRefused } from "../admin/HookError.ts"
import { StandInAdmin } from "../admin/StandInAdmin.ts"
import { Metadata } from "../Metadata.ts"
import { errorPage } from "../PageFrame.ts"
import { page } from "../SignInForm.ts"
import { StandInSettings } from "../StandInOptions.ts"
import { DeveloperChange } from "./DeveloperForms.ts"
import { developerPage } from "./DeveloperPage.ts"

/** No script, nothing from elsewhere, and in nobody's frame, where a click could be stolen. */
const headers = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff"
}

const shown = (html: string, status?: number) => HttpServerResponse.setHeaders(page(html, status), headers)

const elsewhere = shown(
  errorPage("This page answers to its own address only", "Open it at the address that the start prints."),
  403
)

const words = (text: string): ReadonlyArray<string> => text.split(/[\s,]+/).filter((word) => word !== "")

const orNothing = (text: string): string | undefined => (text.trim() === "" ? undefined : text.trim())

const decodeMetadata = Schema.decodeUnknownEffect(Schema.fromJsonString(Metadata))

/** `/`: a page without script on which a developer changes users, organizations, roles and sessions. */
export const developerRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const admin = yield* StandInAdmin
    const { origin } = yield* StandInSettings
    const { host } = new URL(origin)

    const instance = Effect.gen(function* () {
      return {
        users: yield* Effect.forEach(yield* admin.users, (user) =>
          Effect.all({
            user: Effect.succeed(user),
            memberships: admin.membershipsOf(user.id),
            sessions: admin.sessionsOf(user.id)
          })
        ),
        organizations: yield* Effect.forEach(yield* admin.organizations, (organization) =>
          Effect.all({ organization: Effect.succeed(organization), members: admin.membersOf(organization.id) })
        ),
        roles: yield* admin.roles
      }
    }).pipe(Effect.orDie)

    /** Makes the change, and names the part of the page where it is seen. */
    const apply = Effect.fnUntraced(function* (wanted: DeveloperChange) {
      switch (wanted.change) {
        case "role":
          return (yield* admin.setRole(wanted.user, orNothing(wanted.role))).id
        case "public-metadata": {
          const notJson = new HookRefused({ parameter: "Public metadata", explanation: "is not a JSON object" })
          const metadata = yield* Effect.mapError(decodeMetadata(wanted.publicMetadata), () => notJson)
          return (yield* admin.setPublicMetadata(wanted.user, metadata)).id
        }
        case "ban":
        case "unban":
        case "lock":
        case "unlock":
          return (yield* admin[wanted.change](wanted.user)).id
        case "session-end":
          return (yield* admin.endSession(wanted.session)).userId
        case "session-organization":
          return (yield* admin.setActiveOrganization(wanted.session, orNothing(wanted.organization))).userId
        case "member-add":
          return (yield* admin.addMember(wanted.organization, wanted.user, wanted.role)).userId
        case "member-role":
          return (yield* admin.setMemberRole(wanted.organization, wanted.user, wanted.role)).userId
        case "member-remove":
          return (yield* admin.removeMember(wanted.organization, wanted.user)).userId
        case "organization-create":
          return (yield* admin.createOrganization({ name: wanted.name, slug: orNothing(wanted.slug) })).id
        case "organization-rename": {
          const fields = { name: orNothing(wanted.name), slug: orNothing(wanted.slug) }
          return (yield* admin.renameOrganization(wanted.organization, fields)).id
        }
        case "organization-delete":
          return (yield* admin.deleteOrganization(wanted.organization)).id
        case "role-create":
          return (yield* admin.createRole(wanted.role.trim(), words(wanted.permissions))).key
        case "role-permissions":
          return (yield* admin.setRolePermissions(wanted.role, words(wanted.permissions))).key
      }
    })

    const withProblem = (problem: string) => Effect.map(instance, (all) => shown(developerPage(all, problem), 422))

    const show = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      if (request.headers["host"] !== host) return elsewhere
      return shown(developerPage(yield* instance))
    })

    // A form of another site arrives with that site's Origin; a browser sends one with every POST.
    const submit = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      if (request.headers["host"] !== host || request.headers["origin"] !== origin) return elsewhere
      const wanted = yield* HttpServerRequest.schemaBodyUrlParams(DeveloperChange)
      const place = yield* apply(wanted)
      return HttpServerResponse.redirect(`/#${place}`, { status: 303 })
    }).pipe(
      Effect.catchTags({
        UnknownSubject: ({ id, what }) => withProblem(`There is no ${what} "${id}".`),
        HookRefused: ({ explanation, parameter }) => withProblem(`${parameter}: ${explanation}.`)
      }),
      Effect.catch(() => withProblem("This form could not be read."))
    )

    yield* router.add("GET", "/", show)
    yield* router.add("POST", "/", submit)
  })
)
