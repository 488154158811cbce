import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type ClerkSession, ClerkSessions, type SessionStatus } from "../ClerkSessions.ts"
import { type ClerkUser, Directory } from "../Directory.ts"
import { type Fault, Faults } from "../Faults.ts"
import { Features, type FeatureSwitches } from "../Features.ts"
import { stableId } from "../Ids.ts"
import { KeyRing } from "../KeyRing.ts"
import type { Metadata } from "../Metadata.ts"
import { OAuthApplications } from "../OAuthApplications.ts"
import { IdTokens, type Tampering } from "../oauth/IdTokens.ts"
import { OAuthRecords } from "../oauth/OAuthRecords.ts"
import { OrganizationRoles } from "../OrganizationRoles.ts"
import { Organizations } from "../Organizations.ts"
import { SessionTokens, type TokenLifetimes } from "../SessionTokens.ts"
import { StandInClock } from "../StandInClock.ts"
import type { WebhookEndpoint } from "../StandInOptions.ts"
import { type WebhookDelivery, type WebhookForgery, Webhooks, type WebhooksOff } from "../webhooks/Webhooks.ts"
import type { WebhookEvent } from "../webhooks/WebhookEvents.ts"
import { HookRefused, orUnknown, type UnknownSubject } from "./HookError.ts"
import { type OrganizationHooks, organizationHooks } from "./OrganizationHooks.ts"

/** How often a path was asked for since the start, the last reset or the last `forgetRequests`. */
export interface RequestCount {
  readonly method: string
  readonly path: string
  readonly count: number
}

/** Hooks for tests. Wherever a user is named, the id and the e-mail address both do. */
export class StandInAdmin extends Context.Service<
  StandInAdmin,
  OrganizationHooks & {
    readonly users: Effect.Effect<ReadonlyArray<ClerkUser>>
    /** Replaces the whole of the public metadata. */
    readonly setPublicMetadata: (user: string, metadata: Metadata) => Effect.Effect<ClerkUser, UnknownSubject>
    /** Sets `public_metadata.role`, or removes it. */
    readonly setRole: (user: string, role: string | undefined) => Effect.Effect<ClerkUser, UnknownSubject>
    /** Refused for an e-mail address that somebody has. */
    readonly createUser: (fields: {
      readonly email: string
      readonly firstName?: string | undefined
      readonly lastName?: string | undefined
      readonly role?: string | undefined
    }) => Effect.Effect<ClerkUser, HookRefused>
    /**
     * Makes the user a member of one organization for each set of permissions, the newest first, and of no other. The
     * permissions are this member's alone until the role is changed, which Clerk does not have.
     */
    readonly setOrganizations: (
      user: string,
      permissions: ReadonlyArray<ReadonlyArray<string>>
    ) => Effect.Effect<ClerkUser, UnknownSubject>
    /** Revokes the user's sessions; OAuth tokens stop working until the ban is lifted. */
    readonly ban: (user: string) => Effect.Effect<ClerkUser, UnknownSubject>
    readonly unban: (user: string) => Effect.Effect<ClerkUser, UnknownSubject>
    /** A locked user cannot sign in; sessions and tokens go on. */
    readonly lock: (user: string) => Effect.Effect<ClerkUser, UnknownSubject>
    readonly unlock: (user: string) => Effect.Effect<ClerkUser, UnknownSubject>
    readonly deleteUser: (user: string) => Effect.Effect<ClerkUser, UnknownSubject>
    /** A session as a sign-in makes it, without the sign-in. */
    readonly createSession: (user: string) => Effect.Effect<ClerkSession, UnknownSubject>
    /** Newest first. */
    readonly sessionsOf: (user: string) => Effect.Effect<ReadonlyArray<ClerkSession>, UnknownSubject>
    readonly endSession: (session: string, status?: SessionStatus) => Effect.Effect<ClerkSession, UnknownSubject>
    /** A session token as a browser at this application's origin gets it: its `azp` is the origin. */
    readonly mintSessionToken: (session: string, application: string) => Effect.Effect<string, UnknownSubject>
    /** For the tokens that are made from now on, whose request does not say how long they live. */
    readonly setTokenLifetimes: (lifetimes: Partial<TokenLifetimes>) => Effect.Effect<void>
    /** Switches features on or off, as in Clerk's dashboard. */
    readonly setFeatures: (switches: FeatureSwitches) => Effect.Effect<void>
    /** Where changes are sent to from now on, as Clerk's webhooks; undefined for nowhere. */
    readonly setWebhooks: (endpoint: WebhookEndpoint | undefined) => Effect.Effect<void>
    /** The last 100, newest first. Those that are under way are not among them. */
    readonly webhookDeliveries: Effect.Effect<ReadonlyArray<WebhookDelivery>>
    /** Sends an event once, now, and answers what came back; `forgery` says what is wrong with it. */
    readonly sendWebhook: (event: WebhookEvent, forgery?: WebhookForgery) => Effect.Effect<WebhookDelivery, WebhooksOff>
    readonly addFault: (fault: Fault) => Effect.Effect<void>
    readonly tamperWithNextIdToken: (tampering: Tampering) => Effect.Effect<void>
    /** A new signing key; former keys leave the JWKS unless `keepPrevious`. Answers the new `kid`. */
    readonly rotateSigningKey: (options?: { readonly keepPrevious?: boolean | undefined }) => Effect.Effect<string>
    /** Seconds between wall time and the stand-in's; 0 is no shift. */
    readonly setClockOffset: (seconds: number) => Effect.Effect<void>
    readonly requests: Effect.Effect<ReadonlyArray<RequestCount>>
    /** Requests whose path starts so. */
    readonly countRequests: (path: string, method?: string) => Effect.Effect<number>
    readonly forgetRequests: Effect.Effect<void>
    /**
     * Demo users, organizations, application, features, webhooks and lifetimes as at the start; no sessions, tokens, faults, tampering, shift or counts.
     * Keys stay.
     */
    readonly reset: Effect.Effect<void>
  }
>()("dev/clerk/admin/StandInAdmin") {
  static readonly layer = Layer.effect(
    StandInAdmin,
    Effect.gen(function* () {
      const directory = yield* Directory
      const sessions = yield* ClerkSessions
      const applications = yield* OAuthApplications
      const records = yield* OAuthRecords
      const idTokens = yield* IdTokens
      const faults = yield* Faults
      const features = yield* Features
      const keys = yield* KeyRing
      const tokens = yield* SessionTokens
      const clock = yield* StandInClock
      const organizations = yield* Organizations
      const roles = yield* OrganizationRoles
      const webhooks = yield* Webhooks
      const ofOrganizations = yield* organizationHooks

      const userNamed = Effect.fnUntraced(function* (name: string) {
        return yield* orUnknown(yield* directory.findNamed(name), "user", name)
      })

      /** The organization that test users are members of at this place of their list. */
      const testOrganization = Effect.fnUntraced(function* (index: number) {
        const fields = { id: stableId("org", `${index}`), name: `Organization ${index}`, slug: `organization-${index}` }
        const known = yield* organizations.find(fields.id)
        return Option.isSome(known) ? known.value : yield* organizations.create(fields)
      })

      const onUser = (operation: (id: string) => Effect.Effect<Option.Option<ClerkUser>>) =>
        Effect.fnUntraced(function* (name: string) {
          const user = yield* userNamed(name)
          return yield* orUnknown(yield* operation(user.id), "user", name)
        })

      return StandInAdmin.of({
        ...ofOrganizations,
        users: directory.all,
        setPublicMetadata: (user, publicMetadata) =>
          onUser((id) => directory.update(id, () => ({ publicMetadata })))(user),
        setRole: (user, role) =>
          onUser((id) =>
            directory.update(id, ({ publicMetadata: { role: _, ...others } }) => ({
              publicMetadata: role === undefined ? others : { ...others, role }
            }))
          )(user),
        createUser: Effect.fnUntraced(function* ({ email, firstName = null, lastName = null, role }) {
          const address = email.trim().toLowerCase()
          if (Option.isSome(yield* directory.findByEmail(address))) {
            return yield* new HookRefused({ parameter: "email", explanation: "somebody has this address" })
          }
          const publicMetadata = role === undefined ? {} : { role }
          return yield* directory.create({ email: address, firstName, lastName, publicMetadata })
        }),
        setOrganizations: Effect.fnUntraced(function* (name, permissions) {
          const user = yield* userNamed(name)
          yield* organizations.removeAllOf(user.id)
          const places = permissions.map((held, index) => ({ held, index })).toReversed()
          yield* Effect.forEach(
            places,
            ({ held, index }) =>
              Effect.flatMap(testOrganization(index), (organization) =>
                organizations.setMember(organization, user.id, { role: "org:member", permissions: held })
              ),
            { discard: true }
          )
          return user
        }),
        ban: onUser((id) => directory.setBanned(id, true)),
        unban: onUser((id) => directory.setBanned(id, false)),
        lock: onUser((id) => directory.setLocked(id, true)),
        unlock: onUser((id) => directory.setLocked(id, false)),
        deleteUser: onUser(directory.remove),
        createSession: Effect.fnUntraced(function* (name) {
          const user = yield* userNamed(name)
          const [newest] = yield* organizations.membershipsOf(user.id)
          return yield* sessions.create(user.id, newest?.organization.id)
        }),
        sessionsOf: (user) => Effect.flatMap(userNamed(user), (found) => sessions.list({ userId: found.id })),
        endSession: Effect.fnUntraced(function* (session, status = "ended") {
          return yield* orUnknown(yield* sessions.end(session, status), "session", session)
        }),
        mintSessionToken: Effect.fnUntraced(function* (id, application) {
          const session = yield* orUnknown(yield* sessions.find(id), "session", id)
          const user = yield* userNamed(session.userId)
          yield* sessions.touch(id)
          return yield* tokens.forSession(session, user, { authorizedParty: application })
        }),
        setTokenLifetimes: tokens.setLifetimes,
        setFeatures: features.set,
        setWebhooks: webhooks.setEndpoint,
        webhookDeliveries: webhooks.deliveries,
        sendWebhook: webhooks.send,
        addFault: faults.add,
        tamperWithNextIdToken: idTokens.tamperWithNext,
        rotateSigningKey: (options) => keys.rotate(options?.keepPrevious === true),
        setClockOffset: clock.setOffset,
        requests: Effect.map(faults.seen, (seen) => {
          const counts = new Map<string, RequestCount>()
          for (const { method, path } of seen) {
            const key = `${method} ${path}`
            counts.set(key, { method, path, count: (counts.get(key)?.count ?? 0) + 1 })
          }
          return Array.from(counts.values())
        }),
        countRequests: (path, method) =>
          Effect.map(
            faults.seen,
            (seen) =>
              seen.filter((one) => one.path.startsWith(path) && (method === undefined || one.method === method)).length
          ),
        forgetRequests: faults.forgetRequests,
        reset: Effect.all(
          [
            clock.setOffset(0),
            sessions.reset,
            roles.reset,
            organizations.reset,
            directory.reset,
            webhooks.reset,
            applications.reset,
            records.reset,
            idTokens.reset,
            tokens.reset,
            faults.reset,
            features.reset
          ],
          { discard: true }
        )
      })
    })
  )
}
