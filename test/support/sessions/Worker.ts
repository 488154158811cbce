import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"

import { Access } from "../../../src/server/access/Access.ts"
import { AccessEvent, AccessEvents } from "../../../src/server/access/AccessEvents.ts"
import * as Policy from "../../../src/server/access/Policy.ts"
import { AccountObject as Base, type OwnEvents } from "../../../src/server/account/AccountObject.ts"
import { AccountStubs } from "../../../src/server/account/AccountStub.ts"
import { defaultLimits, UserStoreLimits } from "../../../src/server/capability/UserStoreWrite.ts"
import { ClerkApi } from "../../../src/server/clerk/ClerkApi.ts"
import { ClerkError, UserNotFound } from "../../../src/server/clerk/ClerkError.ts"
import { AppConfig } from "../../../src/server/config/AppConfig.ts"
import { ServerInfo } from "../../../src/server/config/ServerInfo.ts"
import { CurrentPrincipal } from "../../../src/server/domain/Principal.ts"
import { Catalogue } from "../../../src/server/mcp/Catalogue.ts"
import { ServerFactory } from "../../../src/server/mcp/ServerFactory.ts"
import { StateSigner } from "../../../src/server/oauth/StateSigner.ts"
import { Elicitation } from "../../../src/server/capability/Elicitation.ts"
import { ClientLog } from "../../../src/server/capability/ClientLog.ts"
import { Progress } from "../../../src/server/capability/Progress.ts"
import { testSettings } from "../../../src/server/testing/TestSettings.ts"

/** What Clerk says of every user; a test changes it. */
export const clerk = { role: "admin", deleted: new Set<string>() }

const Clerk = Layer.mock(ClerkApi)({
  user: (id) =>
    clerk.deleted.has(id)
      ? Effect.fail(new ClerkError({ reason: new UserNotFound() }))
      : Effect.sync(() => ({
          id,
          primaryEmailAddress: null,
          firstName: "Ada",
          lastName: null,
          imageUrl: "https://img.clerk.example/ada",
          banned: false,
          locked: false,
          publicMetadata: { role: clerk.role }
        })),
  memberships: () => Effect.succeed([])
})

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
  Costly
)

const handlers = toolkit.toLayer(
  Effect.gen(function* () {
    const { publish } = yield* AccessEvents
    // The binding of these tests reaches no object: what works was heard in this one.
    const leave = Effect.flatMap(CurrentPrincipal, ({ userId, grantId }) =>
      publish(AccessEvent.cases.GrantEnded.make({ userId, grantId }))
    )
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

const servicesWith = (events: OwnEvents) =>
  Layer.mergeAll(Layer.orDie(ServerFactory.layer), SecureRandom.layerWebCrypto, atOnce).pipe(
    Layer.provide(Catalogue.layer(Catalogue.tools(toolkit, handlers))),
    Layer.provide(events),
    Layer.provide(AccountStubs.layer),
    Layer.provide(StateSigner.layer),
    Layer.provideMerge(Access.layer),
    Layer.provideMerge(Clerk),
    Layer.provide(ServerInfo.layer(description)),
    Layer.provideMerge(Layer.effect(AppConfig, Effect.orDie(AppConfig.decode(testSettings))))
  )

/** The object of a user with tools that show what a session does, and a Clerk that is a variable. */
export class AccountObject extends Base {
  constructor(ctx: DurableObjectState, env: Readonly<Record<string, unknown>>) {
    super(ctx, env, servicesWith)
  }
}

export default { fetch: () => new Response("nothing here", { status: 404 }) } satisfies ExportedHandler
