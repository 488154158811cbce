import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

import { type AccessEvent, AccessEvents } from "../access/AccessEvents.ts"
import type { Counted, Limit } from "../capability/CallLimit.ts"
import type { Write, Written } from "../capability/UserStoreWrite.ts"
import { AppConfig } from "../config/AppConfig.ts"
import type { OrganizationId, UserId } from "../domain/Principal.ts"
import type { Admission } from "../oauth/Admission.ts"
import { StorageUnavailable } from "../oauth/AuthorizationFailure.ts"
import { presentedIn } from "../oauth/PresentedToken.ts"
import {
  type Grant,
  type Standing,
  type TokenRequest,
  type UserAuthority,
  UserAuthorities
} from "../oauth/UserAuthorities.ts"
import * as Incident from "../observability/Incident.ts"
import * as Log from "../observability/Log.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import type { Decision } from "../observability/Decisions.ts"
import type { Recorded } from "../observability/OperatorActions.ts"
import type { AccountObject } from "./AccountObject.ts"
import { Authority } from "./Authority.ts"
import type { DecisionQuery } from "./DecisionRows.ts"
import type { OrganizationMember, OrganizationsChanged } from "./OrganizationMembers.ts"
import { type Listen, ListenHeader, listenHeader, type Post, type Posted, type Removal } from "./Session.ts"

/** The user's object did not answer: it is being replaced, has too much to do (`overloaded`), or broke. */
export class AccountUnavailable extends Schema.TaggedError<AccountUnavailable>()("AccountUnavailable", {
  operation: Schema.String,
  overloaded: Schema.Boolean,
  cause: Schema.Unknown
}) {}

const leaveAlone = Duration.seconds(5)

/**
 * How long to wait before an object is asked again: longer each time, and not the same for all who wait. One that has too
 * much to do is left alone for a while (Cloudflare, Durable Objects, error handling).
 */
export const backoff = Schedule.exponential("200 millis", 1.6).pipe(
  Schedule.setInputType<{ readonly overloaded: boolean }>(),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.succeed(input.overloaded ? Duration.max(duration, leaveAlone) : duration)
  ),
  Schedule.jittered
)

/** What may be asked twice is asked again where the object is being replaced. */
const again = <A>(call: Effect.Effect<A, AccountUnavailable>): Effect.Effect<A, AccountUnavailable> =>
  Effect.retry(call, { while: ({ overloaded }) => !overloaded, times: 2, schedule: backoff })

/** The object of one user, as the Worker sees it. */
export interface AccountStub extends UserAuthority<AccountUnavailable> {
  /** Checks the token of a message, and serves the message if it is good: one call. */
  readonly post: (post: Post) => Effect.Effect<Posted, AccountUnavailable>
  readonly remove: (removal: Removal) => Effect.Effect<Response, AccountUnavailable>
  /** Acts on an event of this user: sessions and streams that it ends have been told to end once this returns. */
  readonly hear: (event: AccessEvent) => Effect.Effect<void, AccountUnavailable>
  /**
   * Has the object look at Clerk anew. Answers the organizations that the user has grants for, none for somebody who
   * never connected.
   */
  readonly lookAgain: (
    event: typeof AccessEvent.cases.FactsChanged.Type
  ) => Effect.Effect<ReadonlyArray<OrganizationId>, AccountUnavailable>
  /** The JSON of an entry of the user's store. */
  readonly readEntry: (name: string) => Effect.Effect<string | null, AccountUnavailable>
  /** Changes an entry of the user's store. Where it fails, it may have been changed all the same. */
  readonly writeEntry: (write: Write) => Effect.Effect<Written, AccountUnavailable>
  /** Keeps decisions on the user's messages, and what operators did. What was kept before counts once. */
  readonly record: (recorded: ReadonlyArray<Recorded>) => Effect.Effect<void, AccountUnavailable>
  /** What was decided on the user's messages, the newest first. */
  readonly decisions: (query: DecisionQuery) => Effect.Effect<ReadonlyArray<Decision>, AccountUnavailable>
  /** What was recorded last for the user to see, the newest first. */
  readonly newest: (limit: number) => Effect.Effect<ReadonlyArray<Recorded>, AccountUnavailable>
  /** Counts a call of a tool. Where it fails, it may have been counted all the same. */
  readonly takeCall: (tool: string, limit: Limit) => Effect.Effect<Counted, AccountUnavailable>
  /** The call at this time does not count after all. */
  readonly giveBackCall: (tool: string, at: number) => Effect.Effect<void, AccountUnavailable>
  /** 101 with a socket and the session's id and version in its headers, or the answer for the client. */
  readonly listen: (listen: Listen) => Effect.Effect<Response, AccountUnavailable>
}

/** The object that knows who has grants for which organization. */
export interface OrganizationsStub {
  /** Notes a user who has a grant for an organization now. */
  readonly join: (member: OrganizationMember) => Effect.Effect<void, AccountUnavailable>
  /** Has the objects of all members look at Clerk, one after the other: this returns once that is planned. */
  readonly changed: (change: OrganizationsChanged) => Effect.Effect<void, AccountUnavailable>
}

/** Its name, which is no user's: their ids start with `user_`. */
const organizationsName = "organizations"

/** The platform says so on the error that a stub throws. */
const isOverloaded = Schema.is(Schema.Struct({ overloaded: Schema.Literal(true) }))

/** Refused tokens. The reasons are sentences of the code's own. */
const counted = (admission: Admission) =>
  admission._tag === "Admitted"
    ? Effect.void
    : Telemetry.count("mcp.tokens.refused", { answer: admission._tag, reason: admission.reason })

const grantTypes = new Set(["authorization_code", "refresh_token"])

/** Codes and refreshes, by what came of them. */
const requested =
  ({ form }: TokenRequest) =>
  ({ ok }: Response) => {
    const type = new URLSearchParams(form).get("grant_type") ?? ""
    const grantType = grantTypes.has(type) ? type : "other"
    return Telemetry.count("mcp.token_requests", { grant_type: grantType, outcome: ok ? "issued" : "refused" })
  }

/** Lines a minute: an outage concerns everybody. */
const limited = Log.bounded(60)

const encodeListen = Schema.encodeSync(ListenHeader)

/** Where the object of each user is reached, and that of the organizations. */
export class AccountStubs extends Context.Service<
  AccountStubs,
  { readonly forUser: (userId: UserId) => AccountStub; readonly organizations: OrganizationsStub }
>()("account/AccountStubs") {
  static readonly layer = Layer.effect(
    AccountStubs,
    Effect.map(AppConfig, ({ ACCOUNT_AGENT }) => {
      // The class behind the binding is named in wrangler.jsonc, out of the compiler's sight.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const namespace = ACCOUNT_AGENT as DurableObjectNamespace<AccountObject>
      const silently = <A>(operation: string, call: () => Promise<A>) =>
        Effect.tryPromise({
          try: call,
          catch: (cause) => new AccountUnavailable({ operation, overloaded: isOverloaded(cause), cause })
        })
      /** Part of the trace of the request. */
      const traced = <A>(operation: string, call: (traceparent: string | undefined) => Promise<A>) =>
        Telemetry.hop(operation, (traceparent) => silently(operation, () => call(traceparent)))
      return AccountStubs.of({
        forUser: (userId) => {
          // A stub is of no use any more once its object was replaced: each call gets one of its own.
          const stub = () => namespace.getByName(userId)
          /** Logs that the object failed: once, however often it was asked. */
          const told = <A>(call: Effect.Effect<A, AccountUnavailable>) =>
            Effect.tapError(call, (failure) =>
              limited(Effect.annotateLogs(Incident.note("The object of a user did not answer", failure), { userId }))
            )
          const attempt = <A>(operation: string, call: () => Promise<A>) => told(silently(operation, call))
          return {
            // Asking twice does no harm, and a call does not fail because the object is being replaced.
            admit: (bearer) =>
              told(again(traced("admit", async (trace): Promise<Admission> => stub().admit(bearer, trace)))).pipe(
                Effect.tap(counted)
              ),
            token: (request) => {
              const answer = traced("token", (trace) => stub().token(request, trace))
              // A refresh that took place is answered alike. A code that was used up buys nothing more, but ends all.
              const isRefresh = presentedIn(new URLSearchParams(request.form))?.use === "refresh"
              return Effect.tap(told(isRefresh ? again(answer) : answer), requested(request))
            },
            standing: told(traced("standing", async (trace): Promise<Standing> => stub().standing(trace))),
            grants: attempt("grants", async (): Promise<ReadonlyArray<Grant>> => stub().grants()),
            end: (grantId) => attempt("end", () => stub().end(grantId)),
            keep: (key, value, expiresAt) => attempt("keep", () => stub().keep(key, value, expiresAt)),
            post: (post) =>
              told(traced("post", async (trace): Promise<Posted> => stub().post(post, trace))).pipe(
                Effect.tap(counted)
              ),
            remove: (removal) => attempt("remove", () => stub().remove(removal)),
            // Whoever insists on telling an object something, or on having it kept, logs that it could not.
            hear: (event) => silently(event._tag, () => stub().hear(event)),
            lookAgain: (event) =>
              attempt("lookAgain", async (): Promise<ReadonlyArray<OrganizationId>> => stub().lookAgain(event)),
            readEntry: (name) => silently("readEntry", () => stub().readEntry(name)),
            writeEntry: (write) => silently("writeEntry", async (): Promise<Written> => stub().writeEntry(write)),
            record: (recorded) => silently("record", () => stub().record(recorded)),
            newest: (limit) => attempt("newest", async (): Promise<ReadonlyArray<Recorded>> => stub().newest(limit)),
            decisions: (query) =>
              attempt("decisions", async (): Promise<ReadonlyArray<Decision>> => stub().decisions(query)),
            takeCall: (tool, limit) =>
              told(traced("takeCall", async (trace): Promise<Counted> => stub().takeCall(tool, limit, trace))),
            giveBackCall: (tool, at) => attempt("giveBackCall", () => stub().giveBackCall(tool, at)),
            listen: (listen) =>
              attempt("listen", () =>
                stub().fetch("https://account-agent.invalid/", {
                  headers: { upgrade: "websocket", [listenHeader]: encodeURIComponent(encodeListen(listen)) }
                })
              )
          }
        },
        organizations: {
          join: (member) =>
            silently("joinOrganization", () => namespace.getByName(organizationsName).joinOrganization(member)),
          changed: (change) =>
            silently("organizationsChanged", () => namespace.getByName(organizationsName).organizationsChanged(change))
        }
      })
    })
  )
}

/** Insists on telling an object something: one that is being replaced by a new version is back in time. */
export const insist = <A>(call: Effect.Effect<A, AccountUnavailable>): Effect.Effect<A, AccountUnavailable> =>
  Effect.retry(call, { schedule: backoff, times: 5 })

/** How an event reaches the object that it concerns: mostly that of its user. */
export const hearInAccount = Effect.map(
  AccountStubs,
  (accounts) => (event: AccessEvent) =>
    insist(
      Effect.suspend(() =>
        event._tag === "OrganizationGranted"
          ? accounts.organizations.join(event)
          : accounts.forUser(event.userId).hear(event)
      )
    )
)

/** The adapter through which what runs in the object publishes. */
export type OwnEvents = Layer.Layer<AccessEvents, never, AccountStubs>

/**
 * The object's own adapter of events. What is about its own user it acts on without a call over the network; another
 * user's object is called.
 */
export const ownEvents = (ownName: string, act: (event: AccessEvent) => Promise<void>): OwnEvents =>
  AccessEvents.heardBy(
    Effect.map(
      hearInAccount,
      (tell) => (event: AccessEvent) =>
        event.userId === ownName && event._tag !== "OrganizationGranted"
          ? Effect.promise(() => act(event))
          : tell(event)
    )
  )

/** The authority over a user, as it is reached over the network. */
const authorityOf = (stub: AccountStub): UserAuthority => {
  const reached = <A>(call: Effect.Effect<A, AccountUnavailable>) =>
    Effect.mapError(call, (cause) => new StorageUnavailable({ operation: cause.operation, cause }))
  const asked = <A>(call: Effect.Effect<A, AccountUnavailable>) => reached(again(call))
  return {
    admit: (bearer) => reached(stub.admit(bearer)),
    token: (request) => reached(stub.token(request)),
    standing: asked(stub.standing),
    grants: asked(stub.grants),
    end: (grantId) => asked(stub.end(grantId)),
    keep: (key, value, expiresAt) => asked(stub.keep(key, value, expiresAt))
  }
}

/** In the object of a user: the user's own authority is here, the others are in their objects. */
export const ownAuthority = (userId: UserId) =>
  Layer.effect(
    UserAuthorities,
    Effect.gen(function* () {
      const accounts = yield* AccountStubs
      const own = yield* Authority
      return UserAuthorities.of({ of: (other) => (other === userId ? own : authorityOf(accounts.forUser(other))) })
    })
  )

/** In the Worker: each user's authority is in the user's object. */
export const authorities = Layer.effect(
  UserAuthorities,
  Effect.map(AccountStubs, (accounts) => UserAuthorities.of({ of: (userId) => authorityOf(accounts.forUser(userId)) }))
)
