import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { createHmac, createSecretKey } from "node:crypto"
import { Changes } from "../Changes.ts"
import { randomId } from "../Ids.ts"
import { StandInClock } from "../StandInClock.ts"
import { StandInSettings, type WebhookEndpoint } from "../StandInOptions.ts"
import { payloadOf, type WebhookEvent, webhookEvents } from "./WebhookEvents.ts"

/** What became of an event. `status` is that of the last answer, or null if nobody answered. */
export interface WebhookDelivery {
  readonly svixId: string
  readonly type: string
  readonly status: number | null
  readonly attempts: number
}

/** What an event is sent with, where a test wants it otherwise than Clerk has it. */
export interface WebhookForgery {
  readonly svixId?: string | undefined
  /** Signs with this secret in place of the endpoint's. */
  readonly secret?: string | undefined
  /** Seconds that are added to `svix-timestamp`; the signature is over the result. */
  readonly timestampOffset?: number | undefined
  /** Takes the place of the event as JSON; signed in its stead. */
  readonly body?: string | undefined
  /** Takes the place of the whole `svix-signature`. */
  readonly signature?: string | undefined
}

/** There is no endpoint to send to. */
export class WebhooksOff extends Schema.TaggedError<WebhooksOff>()("WebhooksOff", {}) {}

class NotDelivered extends Schema.TaggedError<NotDelivered>()("NotDelivered", { status: Schema.NullOr(Schema.Int) }) {}

interface Message {
  readonly endpoint: WebhookEndpoint
  readonly svixId: string
  readonly type: string
  readonly payload: string
}

/** How many deliveries are remembered. */
const remembered = 100

/** Four attempts within about 1.5 s. */
const retries = { schedule: Schedule.exponential("200 millis"), times: 3 } as const

/** `svix-signature`: HMAC-SHA256 over id, timestamp and body, with the key that follows `whsec_` in base64. */
const signatureOf = (secret: string, svixId: string, timestamp: number, payload: string): string =>
  `v1,${createHmac("sha256", createSecretKey(secret.replace(/^whsec_/, ""), "base64"))
    .update(`${svixId}.${timestamp}.${payload}`)
    .digest("base64")}`

/**
 * Sends the instance's changes to one address, as Clerk does through Svix: one after the other, after the change. What
 * fails is tried again a few times and then dropped; what comes after it waits meanwhile.
 */
export class Webhooks extends Context.Service<
  Webhooks,
  {
    /** Applies to the changes from now on; without an endpoint nothing is sent. */
    readonly setEndpoint: (endpoint: WebhookEndpoint | undefined) => Effect.Effect<void>
    /** Newest first, the last 100; those that are under way are not among them. */
    readonly deliveries: Effect.Effect<ReadonlyArray<WebhookDelivery>>
    /** One attempt, ahead of what waits. */
    readonly send: (event: WebhookEvent, forgery?: WebhookForgery) => Effect.Effect<WebhookDelivery, WebhooksOff>
    /** The endpoint as at the start, and nothing waiting or remembered. */
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/webhooks/Webhooks") {
  static readonly layerNoDeps = Layer.effect(
    Webhooks,
    Effect.gen(function* () {
      const settings = yield* StandInSettings
      const clock = yield* StandInClock
      const changes = yield* Changes
      const http = yield* HttpClient.HttpClient
      const eventOf = yield* webhookEvents
      const waiting = yield* Queue.unbounded<Message>()
      let endpoint = settings.webhooks
      let deliveries: ReadonlyArray<WebhookDelivery> = []
      // What was queued before a reset belongs to a former state.
      let generation = 0

      const attempt = Effect.fnUntraced(function* (message: Message, forgery: WebhookForgery = {}) {
        const { payload, svixId } = message
        const timestamp = (yield* clock.nowSeconds) + (forgery.timestampOffset ?? 0)
        const request = HttpClientRequest.post(message.endpoint.url).pipe(
          HttpClientRequest.setHeaders({
            "user-agent": "Svix-Webhooks/1.0 (clerk-stand-in)",
            "svix-id": svixId,
            "svix-timestamp": String(timestamp),
            "svix-signature":
              forgery.signature ?? signatureOf(forgery.secret ?? message.endpoint.secret, svixId, timestamp, payload)
          }),
          HttpClientRequest.bodyText(payload, "application/json")
        )
        return yield* http.execute(request).pipe(
          Effect.tap((response) => Effect.ignore(response.text)),
          Effect.map(({ status }): number | null => status),
          Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.succeed(null) }),
          Effect.orElseSucceed(() => null),
          Effect.provideService(HttpClient.TracerPropagationEnabled, false)
        )
      })

      const remember = (delivery: WebhookDelivery) =>
        Effect.sync(() => void (deliveries = [delivery, ...deliveries].slice(0, remembered)))

      const deliver = Effect.fnUntraced(function* (message: Message) {
        const { svixId, type } = message
        const since = generation
        let attempts = 0
        const status = yield* Effect.suspend(() => {
          attempts += 1
          return since === generation ? attempt(message) : Effect.succeed(null)
        }).pipe(
          Effect.filterOrFail(
            (answered) => since !== generation || (answered !== null && answered >= 200 && answered < 300),
            (answered) => new NotDelivered({ status: answered })
          ),
          Effect.retry(retries),
          Effect.catch((failed) => Effect.succeed(failed.status))
        )
        if (since === generation) yield* remember({ svixId, type, status, attempts })
      })

      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(waiting), deliver)))

      yield* changes.listen(
        Effect.fnUntraced(function* (change) {
          const to = endpoint
          if (to === undefined) return
          const event = yield* eventOf(change)
          if (event === undefined) return
          const payload = payloadOf(event, yield* clock.nowMillis)
          yield* Queue.offer(waiting, { endpoint: to, svixId: randomId("msg"), type: event.type, payload })
        })
      )

      return Webhooks.of({
        setEndpoint: (next) => Effect.sync(() => void (endpoint = next)),
        deliveries: Effect.sync(() => deliveries),
        send: Effect.fnUntraced(function* (event, forgery = {}) {
          if (endpoint === undefined) return yield* new WebhooksOff()
          const { type } = event
          const svixId = forgery.svixId ?? randomId("msg")
          const payload = forgery.body ?? payloadOf(event, yield* clock.nowMillis)
          const status = yield* attempt({ endpoint, svixId, type, payload }, forgery)
          const delivery = { svixId, type, status, attempts: 1 }
          yield* remember(delivery)
          return delivery
        }),
        reset: Effect.gen(function* () {
          generation += 1
          endpoint = settings.webhooks
          deliveries = []
          yield* Queue.clear(waiting)
        })
      })
    })
  )

  static readonly layer = this.layerNoDeps.pipe(Layer.provide(NodeHttpClient.layerNodeHttp))
}
