import { isJsonContentType, readRequestBody } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

import { AccessEvent } from "../access/AccessEvents.ts"
import { AccountStubs, hearInAccount, insist } from "../account/AccountStub.ts"
import { read, typeOf, WebhookEvent } from "../clerk/WebhookEvent.ts"
import type { EventId } from "../domain/Principal.ts"
import { verify } from "../clerk/Webhooks.ts"
import { AppConfig } from "../config/AppConfig.ts"
import * as Incident from "../observability/Incident.ts"
import * as Log from "../observability/Log.ts"
import { isTooDeep } from "./Posted.ts"
import { makeWebhookDeliveries } from "./WebhookDeliveries.ts"
import { webRequest } from "./WebRequest.ts"

/** The longest event that is read, in bytes: metadata of a user, the longest part, has 8 KiB of each kind. */
const maxSize = 256 * 1024

/** Anybody can send what is refused: its lines are bounded, a minute and an isolate. */
const mostStrangers = 10

const { ClerkSessionChanged, FactsChanged } = AccessEvent.cases

const refused = (status: number, error: string, headers: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.jsonUnsafe({ error }, { status, headers })

const accepted = HttpServerResponse.empty({ status: 204 })

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/** The same at each event of a user, for the log and for the user's object. */
const subjectOf = WebhookEvent.match({
  User: ({ userId }) => ({ userId }),
  Session: ({ userId }) => ({ userId }),
  Organization: ({ organizationId }) => ({ organizationId }),
  Roles: () => ({})
})

/**
 * `/webhooks/clerk`: events of Clerk, as Svix delivers them. 204 once an event was taken on by whom it concerns, or is
 * one that changes nothing here; Svix delivers again what is answered otherwise.
 */
export const makeClerkWebhook = Effect.gen(function* () {
  const { CLERK_WEBHOOK_SECRET: secret } = yield* AppConfig
  const accounts = yield* AccountStubs
  const tell = yield* hearInAccount
  const deliveries = yield* makeWebhookDeliveries
  const bounded = Log.bounded(mostStrangers)

  /** Succeeds once the event is stored where it takes effect. */
  const take = (eventId: EventId, event: WebhookEvent) =>
    WebhookEvent.match(event, {
      User: ({ userId }) => tell(FactsChanged.make({ userId, eventId })),
      Session: ({ userId, clerkSessionId }) => tell(ClerkSessionChanged.make({ userId, clerkSessionId, eventId })),
      Organization: ({ organizationId }) => insist(accounts.organizations.changed({ eventId, organizationId })),
      Roles: () => insist(accounts.organizations.changed({ eventId }))
    })

  const receive = Effect.fnUntraced(function* (secret: Redacted.Redacted) {
    const request = yield* webRequest
    if (request.method !== "POST") return refused(405, "Send a POST", { allow: "POST" })
    if (!isJsonContentType(request.headers.get("content-type"))) return refused(415, "Send application/json")
    const body = yield* Effect.promise(() => readRequestBody(request, maxSize))
    if (body.tooLarge) return refused(413, "An event may have 256 KiB")
    const eventId = yield* verify(secret, request.headers, body.text)
    yield* deliveries.note
    const payload = isTooDeep(body.text) ? Option.none() : decodeJson(body.text)
    if (Option.isNone(payload)) return refused(400, "Send JSON")
    const event = yield* read(payload.value)
    if (event === undefined) return accepted
    yield* take(eventId, event)
    yield* Effect.annotateLogs(Effect.logInfo("A webhook of Clerk was taken on"), {
      type: typeOf(payload.value),
      event: eventId,
      ...subjectOf(event)
    })
    return accepted
  })

  const notReceived = Log.once(
    "CLERK_WEBHOOK_SECRET",
    Effect.logWarning("Webhooks of Clerk are sent here and not received: CLERK_WEBHOOK_SECRET is not set")
  )

  return () =>
    secret === undefined
      ? Effect.as(notReceived, refused(501, "CLERK_WEBHOOK_SECRET is not set"))
      : receive(secret).pipe(
          Effect.catchTags({
            WebhookRejected: ({ check }) =>
              bounded(
                Effect.annotateLogs(Effect.logWarning("A webhook was refused: it is not Clerk’s"), { check })
              ).pipe(Effect.as(refused(401, "Not a webhook of this server’s Clerk instance"))),
            AccountUnavailable: (failure) =>
              Effect.map(Incident.note("A webhook of Clerk could not be taken on", failure), () =>
                refused(503, "Deliver this again later", { "retry-after": "5" })
              )
          })
        )
})
