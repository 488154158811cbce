import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import { application } from "../../src/server/Server.ts"
import sample from "../../src/worker.ts"
import { FakeAccounts } from "./FakeAccounts.ts"
import { FakeClerk } from "./FakeClerk.ts"
import { MemoryKv } from "./MemoryKv.ts"
import { type Settings, settings as complete } from "./TestConfig.ts"
import { Visitor } from "./Visitor.ts"

/**
 * The whole application in this process: Clerk, KV and the users' objects are stand-ins that a test can steer, `log` is
 * what it logs, and `wait` lets time pass, except for the OAuth library, which reads the system's clock.
 */
export const testApp = (settings: Settings = {}) => {
  const clerk = new FakeClerk({ id: "user_ada", role: "admin" }, { id: "user_mina", firstName: "Mina" })
  const kv = new MemoryKv()
  const agents = new FakeAccounts()
  const log: Array<string> = []
  let ahead = 0
  const clock = Layer.effect(
    Clock.Clock,
    Clock.clockWith((live) => {
      const millis = () => live.currentTimeMillisUnsafe() + ahead
      const steered = { currentTimeMillisUnsafe: millis, currentTimeMillis: Effect.sync(millis) }
      return Effect.succeed(Object.assign(Object.create(live) as Clock.Clock, steered))
    })
  )
  const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))])
  const outside = Layer.merge(clerk.layer, kv.layer)
  const { handler } = HttpRouter.toWebHandler(
    application(sample.server, { ...complete, ACCOUNT_AGENT: agents.namespace, ...settings }, outside).pipe(
      Layer.provideMerge(Layer.merge(logger, clock)),
      Layer.orDie
    ),
    { disableLogger: true }
  )
  const wait = (seconds: number) => {
    ahead += seconds * 1_000
  }
  return { agents, clerk, kv, log, wait, handler, visitor: new Visitor(handler) }
}
