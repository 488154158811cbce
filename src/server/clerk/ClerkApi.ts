import { createClerkClient } from "@clerk/backend"
import { isClerkAPIResponseError } from "@clerk/backend/errors"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import { ClerkSessionId, OrganizationId, UserId } from "../domain/Principal.ts"
import * as Log from "../observability/Log.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import {
  ClerkError,
  ClerkMisconfigured,
  ClerkUnavailable,
  ClerkUnexpected,
  ClerkSessionEnded,
  UserNotFound
} from "./ClerkError.ts"

/** What the Worker reads of a Clerk user. `unsafe_metadata`, which users write themselves, is left out on purpose. */
export const ClerkUser = Schema.Struct({
  id: UserId,
  primaryEmailAddress: Schema.NullOr(Schema.Struct({ emailAddress: Schema.String })),
  firstName: Schema.NullOr(Schema.String),
  lastName: Schema.NullOr(Schema.String),
  /** Clerk documents it, and does not promise it. */
  imageUrl: Schema.String.pipe(Schema.withDecodingDefault(Effect.succeed(""))),
  banned: Schema.Boolean,
  locked: Schema.Boolean.pipe(Schema.withDecodingDefault(Effect.succeed(false))),
  publicMetadata: Schema.Record(Schema.String, Schema.Json)
})
export type ClerkUser = typeof ClerkUser.Type

/** A user's place in one organization: the key of a role, such as `org:admin`, and the permissions that come with it. */
const ClerkMembership = Schema.Struct({
  role: Schema.String,
  permissions: Schema.NullOr(Schema.Array(Schema.String)),
  organization: Schema.Struct({
    id: OrganizationId,
    slug: Schema.NullOr(Schema.String).pipe(Schema.withDecodingDefault(Effect.succeed(null))),
    name: Schema.String
  })
})
export type ClerkMembership = typeof ClerkMembership.Type

const ClerkSession = Schema.Struct({
  id: ClerkSessionId,
  userId: UserId,
  status: Schema.String,
  lastActiveAt: Schema.Finite
})

/** A session with one of these states has ended for good. A `pending` one waits for the person to do something. */
const endedStatuses = new Set(["abandoned", "ended", "expired", "removed", "replaced", "revoked"])

const Found = Schema.Struct({ data: Schema.Array(Schema.Struct({ id: UserId })) })

const Anything = Schema.Struct({ data: Schema.Array(Schema.Unknown) })

const ClerkKeys = Schema.Struct({ keys: Schema.Array(Schema.Struct({ kid: Schema.String })) })

/** What Clerk holds of an OAuth application, as far as a sign-in depends on it. `scopes` are separated by spaces. */
const ClerkApplication = Schema.Struct({
  clientId: Schema.String,
  redirectUris: Schema.Array(Schema.String),
  scopes: Schema.String
})
type ClerkApplication = typeof ClerkApplication.Type
const ClerkApplications = Schema.Struct({ data: Schema.Array(ClerkApplication) })

const ClerkToken = Schema.Struct({ jwt: Schema.RedactedFromValue(Schema.NonEmptyString) })

/** Clerk's code where Organizations are off, as they are on a new instance. */
const organizationsOff = "organization_not_enabled_in_instance"

/** How long Clerk may take to answer one call. */
const timeout = Duration.seconds(5)

/** The largest page that Clerk returns. */
const pageSize = 500
/** How many pages of sessions are read: of those that were not used for long, none can be the last one used. */
const sessionPages = 5
/** How many pages of memberships are read: far more than anybody has, so that no answer of Clerk's goes on for ever. */
const membershipPages = 100

/** Clerk's Backend API, as far as the Worker uses it. */
export class ClerkApi extends Context.Service<
  ClerkApi,
  {
    /** The user as Clerk holds it now. Fails with `UserNotFound` when the account was deleted. */
    readonly user: (id: UserId) => Effect.Effect<ClerkUser, ClerkError>
    /** The id of the user who has this e-mail address, if there is one. */
    readonly userWithEmail: (email: string) => Effect.Effect<UserId | undefined, ClerkError>
    /**
     * All organization memberships of the user. `undefined` where Clerk does not tell them, and nobody knows if there are
     * any: where Organizations are off in the Clerk instance, where Clerk refuses this one list for good, and past 50,000;
     * the log says so, once.
     */
    readonly memberships: (id: UserId) => Effect.Effect<ReadonlyArray<ClerkMembership> | undefined, ClerkError>
    /**
     * The user's session that was used last, if one is active, of the newest 2,500. None where Clerk refuses this one
     * list for good; the log says so, once.
     */
    readonly lastSession: (id: UserId) => Effect.Effect<ClerkSessionId | undefined, ClerkError>
    /** Whose session this is. Fails with `ClerkSessionEnded` when it has ended, and otherwise unless it is active. */
    readonly sessionUser: (id: ClerkSessionId) => Effect.Effect<UserId, ClerkError>
    /**
     * A new token for the session, of the template `CLERK_JWT_TEMPLATE` if there is one. Fails with `ClerkSessionEnded` when
     * Clerk says so, and not when it refuses the token for another reason, such as a template that does not exist.
     */
    readonly sessionToken: (id: ClerkSessionId) => Effect.Effect<Redacted.Redacted, ClerkError>
    /** Whether Organizations are on in the Clerk instance. */
    readonly organizations: Effect.Effect<boolean, ClerkError>
    /** The OAuth application with this client id, if the instance has it. */
    readonly oauthApplication: (clientId: string) => Effect.Effect<ClerkApplication | undefined, ClerkError>
    /** The ids of the keys that the instance signs with. */
    readonly keyIds: Effect.Effect<ReadonlyArray<string>, ClerkError>
  }
>()("clerk/ClerkApi") {
  static readonly layer = Layer.effect(
    ClerkApi,
    Effect.gen(function* () {
      const config = yield* AppConfig
      const client = createClerkClient({
        secretKey: Redacted.value(config.CLERK_SECRET_KEY),
        ...(config.CLERK_API_URL && { apiUrl: config.CLERK_API_URL.origin }),
        telemetry: { disabled: true }
      })

      const sessionUser = Effect.fn("ClerkApi.sessionUser")(function* (id: ClerkSessionId) {
        const session = yield* call("sessions.getSession", ClerkSession, () => client.sessions.getSession(id))
        const { status, userId } = session
        if (endedStatuses.has(status)) return yield* new ClerkError({ reason: new ClerkSessionEnded() })
        if (status === "active") return userId
        const reason = new ClerkUnexpected({ operation: "sessions.getSession", detail: "neither active nor ended" })
        return yield* new ClerkError({ reason })
      })

      return ClerkApi.of({
        sessionUser,
        lastSession: Effect.fn("ClerkApi.lastSession")((userId) =>
          list("sessions.getSessionList", ClerkSession, sessionPages, (page) =>
            client.sessions.getSessionList({ userId, status: "active", ...page })
          ).pipe(
            Effect.map(({ items }) => items.toSorted((a, b) => b.lastActiveAt - a.lastActiveAt)),
            Effect.map(([last]) => last?.id)
          )
        ),
        sessionToken: Effect.fn("ClerkApi.sessionToken")((id) =>
          call("sessions.getToken", ClerkToken, () => client.sessions.getToken(id, config.CLERK_JWT_TEMPLATE)).pipe(
            Effect.map(({ jwt }) => jwt),
            // The refusal looks the same whether the session, the template or the key is at fault.
            Effect.catchTag("ClerkError", (refused) =>
              refused.reason._tag === "ClerkUnavailable"
                ? Effect.fail(refused)
                : Effect.andThen(sessionUser(id), Effect.fail(refused))
            )
          )
        ),
        userWithEmail: Effect.fn("ClerkApi.userWithEmail")((email) =>
          Effect.map(
            call("users.getUserList", Found, () => client.users.getUserList({ emailAddress: [email], limit: 1 })),
            ({ data: [found] }) => found?.id
          )
        ),
        user: Effect.fn("ClerkApi.user")((id) => call("users.getUser", ClerkUser, () => client.users.getUser(id))),
        memberships: Effect.fn("ClerkApi.memberships")((id) =>
          list("users.getOrganizationMembershipList", ClerkMembership, membershipPages, (page) =>
            client.users.getOrganizationMembershipList({ userId: id, ...page })
          ).pipe(Effect.map(({ items, complete }) => (complete ? items : undefined)))
        ),
        organizations: call("organizations.getOrganizationList", Anything, () =>
          client.organizations.getOrganizationList({ limit: 1 })
        ).pipe(
          Effect.as(true),
          Effect.catchTag("ClerkError", (error) =>
            error.reason._tag === "ClerkMisconfigured" && error.reason.code === organizationsOff
              ? Effect.succeed(false)
              : Effect.fail(error)
          )
        ),
        oauthApplication: (clientId) =>
          Effect.map(
            call("oauthApplications.list", ClerkApplications, () =>
              client.oauthApplications.list({ nameQuery: clientId, limit: pageSize })
            ),
            ({ data }) => data.find((application) => application.clientId === clientId)
          ),
        keyIds: Effect.map(
          call("jwks.getJwks", ClerkKeys, () => client.jwks.getJwks()),
          ({ keys }) => keys.map(({ kid }) => kid)
        )
      })
    })
  )
}

const call = <A, I>(
  operation: string,
  answer: Schema.Codec<A, I>,
  request: () => Promise<unknown>
): Effect.Effect<A, ClerkError> =>
  Effect.tryPromise({ try: request, catch: (cause) => failure(operation, cause) }).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(new ClerkError({ reason: new ClerkUnavailable({ operation }) }))
    }),
    measured(operation),
    Effect.flatMap((value) =>
      Schema.decodeUnknownEffect(answer)(value).pipe(
        Effect.mapError(
          () => new ClerkError({ reason: new ClerkUnexpected({ operation, detail: "not as documented" }) })
        )
      )
    )
  )

/** How long Clerk took to answer, and whether it asked to be left alone. */
const measured =
  (operation: string) =>
  <A>(asked: Effect.Effect<A, ClerkError>): Effect.Effect<A, ClerkError> =>
    Effect.flatMap(Telemetry.Measure, (measure) =>
      measure === undefined
        ? asked
        : Effect.timed(Effect.exit(asked)).pipe(
            Effect.flatMap(([took, exit]) => {
              const error = Option.getOrUndefined(Exit.findErrorOption(exit))
              const outcome = error === undefined ? "answered" : error.reason._tag
              measure({
                name: "clerk.request.duration",
                value: Duration.toMillis(took),
                attributes: { operation, outcome }
              })
              const isLimited = error?.reason._tag === "ClerkUnavailable" && error.reason.status === 429
              if (isLimited) measure({ name: "clerk.rate_limited", value: 1, attributes: { operation } })
              return exit
            })
          )
    )

/** What is known of a list. One that Clerk does not tell has no items, and is not complete. */
interface Listed<A> {
  readonly items: ReadonlyArray<A>
  readonly complete: boolean
}

/**
 * A list, page after page. A list that Clerk refuses for good, or answers in another form than documented, costs what is
 * made of it, and nothing else. A wrong secret key (401) is no matter of one list.
 */
const list = Effect.fnUntraced(
  function* <A, I>(
    operation: string,
    item: Schema.Codec<A, I>,
    maxPages: number,
    page: (range: { readonly limit: number; readonly offset: number }) => Promise<unknown>
  ): Effect.fn.Return<Listed<A>, ClerkError> {
    const answer = Schema.Struct({ data: Schema.Array(item), totalCount: Schema.Finite })
    const items: Array<A> = []
    for (let pages = 0; pages < maxPages; pages++) {
      const range = { limit: pageSize, offset: items.length }
      const { data, totalCount } = yield* call(operation, answer, () => page(range))
      items.push(...data)
      if (data.length === 0 || items.length >= totalCount) return { items, complete: true }
    }
    yield* Log.once(operation, Effect.logWarning(`${operation}: only the first ${items.length} are read`))
    return { items, complete: false }
  },
  Effect.catchTag("ClerkError", (error): Effect.Effect<Listed<never>, ClerkError> => {
    const { reason } = error
    if (reason._tag === "UserNotFound") return Effect.succeed({ items: [], complete: false })
    if (reason._tag !== "ClerkUnexpected" && (reason._tag !== "ClerkMisconfigured" || reason.status === 401)) {
      return Effect.fail(error)
    }
    const { code, operation } = reason
    const log =
      code === organizationsOff
        ? Effect.logInfo("Organizations are off in Clerk: switch them on if tools need them")
        : Effect.logWarning(
            reason._tag === "ClerkMisconfigured"
              ? "Clerk refuses a list, of which nothing is known: check CLERK_SECRET_KEY"
              : "Clerk answers a list in an unexpected way: nothing is known of it"
          )
    return Effect.as(Log.once(`${operation} ${code}`, Effect.annotateLogs(log, { reason })), {
      items: [],
      complete: false
    })
  })
)

/** What a 404 means, by what was asked for. */
const absent = (operation: string, code: string | undefined): ClerkError["reason"] => {
  if (code === "resource_not_found") {
    if (operation.startsWith("users.")) return new UserNotFound()
    if (operation === "sessions.getSession") return new ClerkSessionEnded()
  }
  return new ClerkUnexpected({ operation, detail: "status 404", ...(code !== undefined && { code }) })
}

/**
 * A failure without a status is one of the network. `@clerk/backend` does not retry by itself. Only what may pass by
 * itself is unavailable: network, 429 and 5xx.
 */
const failure = (operation: string, cause: unknown): ClerkError => {
  if (!isClerkAPIResponseError(cause)) {
    const code = cause instanceof Error ? cause.name : "unknown"
    return new ClerkError({ reason: new ClerkUnavailable({ operation, code }) })
  }
  const { status, retryAfter } = cause
  const code = cause.errors[0]?.code
  const known = { operation, ...(code !== undefined && { code }) }
  if (status === undefined || status === 429 || status >= 500) {
    const details = { ...(status !== undefined && { status }), ...(retryAfter !== undefined && { retryAfter }) }
    return new ClerkError({ reason: new ClerkUnavailable({ ...known, ...details }) })
  }
  if (status === 404) return new ClerkError({ reason: absent(operation, code) })
  if (status === 401 || status === 403) return new ClerkError({ reason: new ClerkMisconfigured({ ...known, status }) })
  return new ClerkError({ reason: new ClerkUnexpected({ ...known, detail: `status ${status}` }) })
}
