import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

import { AccountStubs } from "../account/AccountStub.ts"
import { ClerkApi } from "../clerk/ClerkApi.ts"
import type { ClerkError } from "../clerk/ClerkError.ts"
import { ClerkJwt } from "../clerk/ClerkJwt.ts"
import { ClerkOAuth, type ClerkOAuthError } from "../clerk/ClerkOAuth.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { UserId } from "../domain/Principal.ts"
import { OAuthStorage } from "../oauth/OAuthStorage.ts"
import * as Incident from "../observability/Incident.ts"
import type { HealthCheck, HealthPart, HealthProblem } from "./HealthReport.ts"
import { makeWebhookDeliveries } from "./WebhookDeliveries.ts"

/** How long a part may take. */
const timeout = Duration.seconds(8)

type Found = Omit<HealthCheck, "millis">

const fine: Found = {}
const bad = (problem: HealthProblem, code?: string | number): Found => ({
  problem,
  ...(code !== undefined && { code: String(code) })
})

/** What a failure of Clerk's says of a part. */
const problemOf = (reason: ClerkError["reason"] | ClerkOAuthError["reason"]): Found => {
  switch (reason._tag) {
    case "ClerkUnavailable":
      return bad("unreachable", reason.code ?? reason.status)
    case "ClerkMisconfigured":
      return bad("refused", reason.code ?? reason.status)
    case "ClerkUnexpected":
      return bad("unexpected", reason.code ?? reason.detail)
    default:
      return bad("unexpected", reason._tag)
  }
}

const ofClerk = <R>(check: Effect.Effect<Found, ClerkError, R>) =>
  Effect.catchTag(check, "ClerkError", ({ reason }) => Effect.succeed(problemOf(reason)))

/** No user's name: one object with one entry, which each check writes anew. */
const nobody = UserId.make("health", { disableChecks: true })

/** Looks at everything that the server depends on. A part that is broken, or hangs, is a finding like another. */
export const makeHealthChecks = Effect.gen(function* () {
  const config = yield* AppConfig
  const clerk = yield* ClerkApi
  const jwt = yield* ClerkJwt
  const oauth = yield* ClerkOAuth
  const storage = yield* OAuthStorage
  const accounts = yield* AccountStubs
  const deliveries = yield* makeWebhookDeliveries

  const clerkApi = ofClerk(Effect.map(clerk.organizations, (organizations): Found => ({ organizations })))

  /** A token that names a key of the secret key's instance, and that nobody signed: the Frontend API has to know the key. */
  const unsigned = (kid: string) =>
    [JSON.stringify({ alg: "RS256", kid }), "{}", "nobody"].map((part) => Base64Url.encode(part)).join(".")

  const clerkKeys = ofClerk(
    Effect.gen(function* () {
      const [kid] = yield* clerk.keyIds
      if (kid === undefined) return bad("unexpected", "no keys")
      return yield* Effect.match(jwt.verify(unsigned(kid), { claims: [] }), {
        onSuccess: () => fine,
        onFailure: (failure) => {
          if (failure._tag !== "TokenRejected") return problemOf(failure)
          return failure.check === "kid" ? bad("other-instance") : fine
        }
      })
    })
  )

  const redeemed = Effect.gen(function* () {
    // A code that nobody was given: Clerk looks at the client's secret first.
    return yield* Effect.match(oauth.exchange("health", yield* oauth.challenge), {
      onSuccess: () => fine,
      onFailure: ({ reason }) => (reason._tag === "CodeRejected" ? fine : problemOf(reason))
    })
  })

  const clerkApplication = (clientId: string) =>
    ofClerk(
      Effect.gen(function* () {
        // Where Clerk refuses the list of applications, redeeming tells what there is to know.
        const listed = yield* Effect.map(clerk.oauthApplication(clientId), Option.fromUndefinedOr).pipe(
          Effect.catchTag("ClerkError", (error) =>
            error.reason._tag === "ClerkMisconfigured" && error.reason.status === 403
              ? Effect.succeed("refused" as const)
              : Effect.fail(error)
          )
        )
        if (listed === "refused") return yield* redeemed
        if (Option.isNone(listed)) return bad("no-application")
        const { redirectUris, scopes } = listed.value
        if (!redirectUris.includes(new URL("/callback", config.PUBLIC_URL).href)) return bad("no-redirect")
        if (!scopes.split(" ").includes("openid")) return bad("no-openid")
        return yield* redeemed
      })
    )

  const webhooks = Effect.map(deliveries.last, (lastDelivery): Found => ({
    ...(config.CLERK_WEBHOOK_SECRET === undefined && bad("not-set")),
    ...(lastDelivery !== undefined && { lastDelivery })
  }))

  const kv = Effect.gen(function* () {
    const key = `health:${yield* Random.nextInt}`
    yield* Effect.tryPromise(() => storage.put(key, key, { expirationTtl: 60 }))
    const read = yield* Effect.tryPromise(() => storage.get(key, { type: "text" }))
    return read === key ? fine : bad("not-kept")
  })

  const object = Effect.gen(function* () {
    const account = accounts.forUser(nobody)
    const value = String(yield* Random.nextInt)
    yield* account.writeEntry({ name: "health", value })
    return (yield* account.readEntry("health")) === value ? fine : bad("unreachable")
  })

  const checked = Effect.fnUntraced(function* <E>(part: HealthPart, check: Effect.Effect<Found, E>) {
    const start = yield* Clock.currentTimeMillis
    const found = yield* check.pipe(
      Effect.timeout(timeout),
      Effect.catchCause((cause) => Effect.as(Incident.report(`The check of ${part} failed`, cause), bad("unreachable")))
    )
    return [part, { ...found, millis: (yield* Clock.currentTimeMillis) - start }] as const
  })

  return () =>
    Effect.all(
      [
        checked("clerkApi", clerkApi),
        checked("clerkKeys", clerkKeys),
        ...(config.SIGN_IN === "clerk" ? [checked("clerkApplication", clerkApplication(config.CLERK_CLIENT_ID))] : []),
        checked("webhooks", webhooks),
        checked("kv", kv),
        checked("object", object)
      ],
      { concurrency: "unbounded" }
    )
})
