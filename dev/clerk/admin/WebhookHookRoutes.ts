import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Schema from "effect/Schema"
import type { WebhookDelivery } from "../webhooks/Webhooks.ts"
import { done, hookRoutes } from "./HookRoute.ts"
import { StandInAdmin } from "./StandInAdmin.ts"

const Secret = Schema.String.check(Schema.isPattern(/^whsec_[A-Za-z0-9+/]+={0,2}$/))

const Endpoint = Schema.Union([
  Schema.Struct({ url: Schema.NonEmptyString, secret: Secret }),
  Schema.Struct({ url: Schema.Null })
])

const Sending = Schema.Struct({
  type: Schema.NonEmptyString,
  data: Schema.Json,
  svixId: Schema.optionalKey(Schema.NonEmptyString),
  secret: Schema.optionalKey(Schema.String),
  timestampOffset: Schema.optionalKey(Schema.Int),
  signature: Schema.optionalKey(Schema.String),
  body: Schema.optionalKey(Schema.String)
})

const deliveryJson = ({ attempts, status, svixId, type }: WebhookDelivery) => ({ svixId, type, status, attempts })

/** The hooks on webhooks over HTTP. */
export const webhookHookRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const admin = yield* StandInAdmin
    const { get, post } = yield* hookRoutes(router)

    yield* get(
      "webhooks",
      Effect.map(admin.webhookDeliveries, (all) => all.map(deliveryJson))
    )
    yield* post("webhooks", Endpoint, (endpoint) =>
      done(admin.setWebhooks(endpoint.url === null ? undefined : endpoint))
    )
    yield* post("webhooks/send", Sending, ({ data, type, ...forgery }) =>
      Effect.map(admin.sendWebhook({ type, data }, forgery), deliveryJson)
    )
  })
)
