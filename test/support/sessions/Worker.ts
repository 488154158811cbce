import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"

import { Access } from "../../../src/server/access/Access.ts"
import type { Facts } from "../../../src/server/access/Caller.ts"
import { AccessEvent, AccessEvents } from "../../../src/server/access/AccessEvents.ts"
import * as Policy from "../../../src/server/access/Policy.ts"
import { RateLimits } from "../../../src/server/access/RateLimits.ts"
import { type AccountLayer, AccountObject as Base } from "../../../src/server/account/AccountObject.ts"
import * as CallCounts from "../../../src/server/account/CallCounts.ts"
import * as DecisionKeepers from "../../../src/server/account/DecisionKeepers.ts"
import { AccountStubs } from "../../../src/server/account/AccountStub.ts"
import { Authority } from "../../../src/server/account/Authority.ts"
import { ClerkFacts } from "../../../src/server/account/ClerkFacts.ts"
import { Paces } from "../../../src/server/account/OrganizationMembers.ts"
import { Records } from "../../../src/server/account/Records.ts"
import * as RecordedSnapshots from "../../../src/server/account/RecordedSnapshots.ts"
import { CallLimit } from "../../../src/server/capability/CallLimit.ts"
import { defaultLimits, UserStoreLimits } from "../../../src/server/capability/UserStoreWrite.ts"
import { ClerkApi } from "../../../src/server/clerk/ClerkApi.ts"
import { ClerkError, ClerkSessionEnded, ClerkUnavailable, UserNotFound } from "../../../src/server/clerk/ClerkError.ts"
import { AppConfig } from "../../../src/server/config/AppConfig.ts"
import { ServerInfo } from "../../../src/server/config/ServerInfo.ts"
import {
  ClientId,
  CurrentPrincipal,
  GrantId,
  OrganizationId,
  Principal,
  UserId
} from "../../../src/server/domain/Principal.ts"
import { Catalogue } from "../../../src/server/mcp/Catalogue.ts"
import { ServerFactory } from "../../../src/server/mcp/ServerFactory.ts"
import { Grants } from "../../../src/server/oauth/Grants.ts"
import type { Grant } from "../../../src/server/oauth/UserAuthorities.ts"
import { StateSigner } from "../../../src/server/oauth/StateSigner.ts"
import { Elicitation } from "../../../src/server/capability/Elicitation.ts"
import { ClientLog } from "../../../src/server/capability/ClientLog.ts"
import { Progress } from "../../../src/server/capability/Progress.ts"
import { parts } from "../../server/fixture/Deciding.ts"
import { testSettings } from "../../../src/server/testing/TestSettings.ts"

/** What Clerk says of every user; a test changes it. */
export const clerk = {
  role: "admin",
  deleted: new Set<string>(),
  banned: new Set<string>(),
  /** Users whom Clerk says nothing about. */
  silent: new Set<string>(),
  /** The same, for which there is no telling how long. */
  down: new Set<string>(),
  /** Users whose grants cannot be read. */
  unreadable: new Set<string>(),
  endedSessions: new Set<string>(),
  /** The organizations of each user; one who is not in here is left alone. */
  organizations: new Map<string, ReadonlyArray<string>>(),
  /** Whom Clerk was asked about, and which sessions, in order. */
  asked: new Array<string>(),
  /** What happens once a token was found good. */
  admitted: Effect.void as Effect.Effect<unknown>,
  /** What a question waits for. */
  latency: Effect.void as Effect.Effect<unknown>
}

/** The grants of each user. */
export const grants = new Map<string, ReadonlyArray<Grant>>()

const Clerk = Layer.mock(ClerkApi)({
  user: Effect.fnUntraced(function* (id) {
    clerk.asked.push(id)
    yield* clerk.latency
    if (clerk.silent.has(id)) {
      return yield* new ClerkError({ reason: new ClerkUnavailable({ operation: "users.getUser", retryAfter: 1 }) })
    }
    if (clerk.down.has(id)) {
      return yield* new ClerkError({ reason: new ClerkUnavailable({ operation: "users.getUser" }) })
    }
    if (clerk.deleted.has(id)) return yield* new ClerkError({ reason: new UserNotFound() })
    return {
      id,
      primaryEmailAddress: null,
      firstName: "Ada",
      lastName: null,
      imageUrl: "https://img.clerk.example/ada",
      banned: clerk.banned.has(id),
      locked: false,
      publicMetadata: { role: clerk.role }
    }
  }),
  memberships: () => Effect.succeed([]),
  sessionUser: Effect.fnUntraced(function* (id) {
    clerk.asked.push(id)
    if (clerk.endedSessions.has(id)) return yield* new ClerkError({ reason: new ClerkSessionEnded() })
    return UserId.make("user_somebody")
  })
})

const FakeGrants = Layer.effect(
  Grants,
  Effect.map(AccessEvents, ({ publish }) =>
    Grants.of({
      list: (userId) =>
        Effect.suspend(() =>
          clerk.unreadable.has(userId) ? Effect.die("no store") : Effect.succeed(grants.get(userId) ?? [])
        ),
      end: (userId, grantId) =>
        Effect.suspend(() => {
          grants.set(
            userId,
            (grants.get(userId) ?? []).filter(({ id }) => id !== grantId)
          )
          ended.add(`${userId} ${grantId}`)
          return publish(AccessEvent.cases.GrantEnded.make({ userId, grantId }))
        }),
      clientName: () => Effect.undefined,
      complete: () => Effect.die("no sign-in here")
    })
  )
)

/** The real one, with memberships. */
const FactsOfClerk = Layer.effect(
  ClerkFacts,
  Effect.map(ClerkFacts, (facts) => ({
    ...facts,
    refresh: (userId: UserId) =>
      Effect.map(facts.refresh(userId), () => {
        const organizations = clerk.organizations.get(userId)
        return organizations && new Set(organizations.map((id) => OrganizationId.make(id)))
      })
  }))
).pipe(Layer.provide(ClerkFacts.layer), Layer.provide(FakeGrants))

/** The grants that have ended, each after its user. */
export const ended = new Set<string>()

/** The users who have called, and the grant that they have at least. */
const connected = new Set<string>()
const someGrant: Grant = {
  id: GrantId.make("grant-1"),
  clientId: ClientId.make("client of grant-1"),
  scopes: ["mcp:tools"],
  createdAt: 0,
  usedAt: 0
}

const decodePrincipal = Schema.decodeUnknownSync(Schema.fromJsonString(Principal))

/** An authority to which a token is the JSON of a principal, whose grant stands until it has ended. */
const authorityOver: (userId: string) => Layer.Layer<Authority, never, Access | Records> = (userId) =>
  Layer.effect(
    Authority,
    Effect.gen(function* () {
      const access = yield* Access
      const records = yield* Records
      const own = UserId.make(userId, { disableChecks: true })
      const unused = Effect.die(new TypeError("these tests ask for no such thing"))
      return Authority.of({
        has: (grantId) => Effect.sync(() => !ended.has(`${userId} ${grantId}`)),
        admit: Effect.fnUntraced(function* ({ token }) {
          const principal = decodePrincipal(token)
          if (ended.has(`${userId} ${principal.grantId}`)) return { _tag: "NotAdmitted", reason: "ended" }
          connected.add(userId)
          const key = `grant:${userId}:${principal.grantId}`
          if ((yield* records.get(key)) === undefined) {
            yield* records.commit([{ key, value: "a grant", expiresAt: null }])
          }
          const known = yield* Effect.result(access.current(principal.userId))
          if (Result.isFailure(known) && known.failure.reason._tag === "AccountClosed") {
            return { _tag: "NotAdmitted", reason: "closed" }
          }
          const facts: Facts = Result.isSuccess(known)
            ? { _tag: "Known", user: known.success }
            : { _tag: "Unknown", retryAfterSeconds: 1, passes: true }
          yield* clerk.admitted
          return { _tag: "Admitted", caller: { principal, facts }, expiresAt: 0 }
        }),
        token: () => Effect.succeed(new Response(null, { status: 400 })),
        standing: Effect.as(Effect.ignore(access.current(own)), {
          _tag: "Unknown",
          retryAfterSeconds: 1,
          passes: true
        }),
        grants: Effect.sync(() => grants.get(userId) ?? (connected.has(userId) ? [someGrant] : [])),
        end: () => Effect.void,
        keep: () => unused
      })
    })
  )

const tool = (name: string) =>
  Tool.make(name, { description: name, success: Schema.Struct({ text: Schema.String }) }).annotate(
    Policy.Required,
    Policy.signedIn
  )

/** Answers at once. */
const Echo = tool("echo")
/** Answers after 700 ms, and reports its progress every 100 ms. */
const Slow = tool("slow")
/** Never answers. */
const Hang = tool("hang")
/** Asks for a word, and answers it. */
const Question = tool("question")
/** Logs a line of every second level. */
const Chatty = tool("chatty")
/** Ends the grant that it is called under, and answers 300 ms later. */
const Leave = tool("leave")
/** The same, and answers never. */
const LeaveAndHang = tool("leaveAndHang")
/** Reports its progress, and answers 300,000 characters. */
const Long = tool("long")
/** Answers a bit less than 256,000 characters, as an event and within it. */
const Middling = tool("middling")
/** May be called twice a minute. */
const Rationed = tool("rationed").annotate(CallLimit, { calls: 2, seconds: 60 })
const Costly = tool("costly").annotate(Policy.Required, Policy.scopes("paint:use"))

const toolkit = Toolkit.make(
  Echo,
  Slow,
  Hang,
  Question.addDependency(Elicitation),
  Chatty,
  Leave.addDependency(CurrentPrincipal),
  LeaveAndHang.addDependency(CurrentPrincipal),
  Long,
  Middling,
  Rationed,
  Costly
)

const handlers = toolkit.toLayer(
  Effect.gen(function* () {
    const { publish } = yield* AccessEvents
    // The binding of these tests reaches no object: what works was heard in this one.
    const leave = Effect.flatMap(CurrentPrincipal, ({ userId, grantId }) => {
      ended.add(`${userId} ${grantId}`)
      return publish(AccessEvent.cases.GrantEnded.make({ userId, grantId }))
    })
    return {
      echo: () => Effect.succeed({ text: "echo" }),
      slow: Effect.fnUntraced(function* () {
        const report = yield* Progress
        for (let progress = 1; progress <= 7; progress++) {
          yield* Effect.sleep(100)
          yield* report({ progress })
        }
        return { text: "slow" }
      }),
      hang: () => Effect.never,
      question: Effect.fnUntraced(function* () {
        const word = yield* Elicitation.form("word", {
          message: "Which word?",
          schema: Schema.Struct({ word: Schema.String })
        })
        return { text: word._tag === "Accepted" ? word.value.word : word._tag }
      }),
      chatty: Effect.fnUntraced(function* () {
        const log = yield* ClientLog
        for (const level of ["debug", "notice", "error", "alert"] as const) yield* log({ level, data: level })
        return { text: "chatty" }
      }),
      leave: () => leave.pipe(Effect.andThen(Effect.sleep(300)), Effect.as({ text: "left" })),
      leaveAndHang: () => Effect.andThen(leave, Effect.never),
      long: Effect.fnUntraced(function* () {
        const report = yield* Progress
        yield* report({ progress: 1 })
        return { text: "x".repeat(300_000) }
      }),
      middling: () => Effect.succeed({ text: "x".repeat(127_000) }),
      rationed: () => Effect.succeed({ text: "rationed" }),
      costly: () => Effect.succeed({ text: "costly" })
    }
  })
)

const description = {
  name: "test-server",
  title: "Test server",
  version: "1.2.3",
  scopes: { "paint:use": "Paint in your name" }
}
/** Where a user was deleted, what is stored is erased without a delay. */
const atOnce = Layer.succeed(UserStoreLimits, { ...defaultLimits, eraseAfterDays: 0 })

/** Every decision is a line, in which others would be hard to find. */
const withoutDecisions = Logger.make((options) => {
  if (String(options.message) !== "Decision") Logger.defaultLogger.log(options)
})

/** Steps of 50 users as in production, closer to each other. */
const quick = { users: 50, every: Duration.millis(400) }
const paces = Layer.succeed(Paces, { development: quick, production: quick })

const servicesWith =
  (binding: object): AccountLayer =>
  ({ userId, events }) =>
    Layer.mergeAll(
      Layer.orDie(ServerFactory.layer),
      SecureRandom.layerWebCrypto,
      RateLimits.layer,
      atOnce,
      FactsOfClerk,
      paces
    ).pipe(
      Layer.provide(Catalogue.layer(Catalogue.tools(toolkit, handlers), ...parts)),
      Layer.provide([CallCounts.inObject, DecisionKeepers.inObject]),
      Layer.provideMerge(authorityOver(userId)),
      Layer.provideMerge(Access.layer),
      Layer.provide([events, RecordedSnapshots.layer]),
      Layer.provideMerge(AccountStubs.layer),
      Layer.provide(StateSigner.layer),
      Layer.provideMerge(Clerk),
      Layer.provide(ServerInfo.layer(description)),
      Layer.provideMerge(Layer.effect(AppConfig, Effect.orDie(AppConfig.decode({ ...testSettings, ...binding })))),
      Layer.provideMerge(Logger.layer([withoutDecisions]))
    )

/** The object of a user with tools that show what a session does, and a Clerk that is a variable. */
export class AccountObject extends Base {
  constructor(ctx: DurableObjectState, env: Readonly<Record<string, unknown>>) {
    // The object of the organizations alone reaches others: those of users shall act on their own events by themselves.
    super(ctx, env, servicesWith(ctx.id.name === "organizations" ? { ACCOUNT_AGENT: env["ACCOUNT_AGENT"] } : {}))
  }

  override hear(event: AccessEvent): Promise<void> {
    if (event._tag === "GrantEnded") ended.add(`${event.userId} ${event.grantId}`)
    return super.hear(event)
  }
}

export default { fetch: () => new Response("nothing here", { status: 404 }) } satisfies ExportedHandler
