import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Schema from "effect/Schema"
import { Features } from "../Features.ts"
import { stableId } from "../Ids.ts"
import { StandInClock } from "../StandInClock.ts"
import { instanceId, StandInSettings } from "../StandInOptions.ts"
import { endpoint, query } from "./Endpoint.ts"
import { paged, pagingFields } from "./Paging.ts"

const TemplatesQuery = Schema.Struct({ ...pagingFields, paginated: Schema.optionalKey(Schema.String) })

/** What the Backend API tells of the instance itself: its kind, domain, features and JWT templates. */
export const instanceRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { instance, jwtTemplates, origin, secretKey } = yield* StandInSettings
    const features = yield* Features
    const startedAt = yield* (yield* StandInClock).nowMillis

    const current = Effect.succeed({
      object: "instance",
      id: instanceId,
      environment_type: instance,
      allowed_origins: [],
      workspace_id: null
    })

    const domains = Effect.succeed({
      data: [
        {
          object: "domain",
          id: stableId("dmn", origin),
          name: new URL(origin).host,
          is_satellite: false,
          frontend_api_url: origin,
          accounts_portal_url: origin,
          proxy_url: null,
          development_origin: "",
          cname_targets: []
        }
      ],
      total_count: 1
    })

    const organizationSettings = Effect.map(features.current, ({ organizations }) => ({
      object: "organization_settings",
      enabled: organizations,
      max_allowed_memberships: 5,
      max_allowed_roles: 10,
      max_allowed_domains: 10,
      creator_role: "org:admin",
      admin_delete_enabled: true,
      domains_enabled: false,
      domains_enrollment_modes: [],
      domains_default_role: "org:member"
    }))

    const templates = Effect.gen(function* () {
      const wanted = yield* query(TemplatesQuery)
      const all = Object.entries(jwtTemplates).map(([name, claims]) => ({
        object: "jwt_template",
        id: stableId("jtmp", name),
        name,
        claims,
        lifetime: 60,
        allowed_clock_skew: 5,
        custom_signing_key: false,
        signing_algorithm: "RS256",
        created_at: startedAt,
        updated_at: startedAt
      }))
      const page = paged(all, wanted)
      return wanted.paginated === "true" ? { data: page, total_count: all.length } : page
    })

    yield* router.add("GET", "/v1/instance", endpoint(secretKey, current))
    yield* router.add("GET", "/v1/instance/organization_settings", endpoint(secretKey, organizationSettings))
    yield* router.add("GET", "/v1/domains", endpoint(secretKey, domains))
    yield* router.add("GET", "/v1/jwt_templates", endpoint(secretKey, templates))
  })
)
