import { env, waitUntil } from "cloudflare:workers"

import { handler } from "../../../src/server/Server.ts"
import { make } from "../../../src/server/Worker.ts"
import { definition } from "../../server/fixture/Definition.ts"
import { inspectable } from "../../server/fixture/Inspectable.ts"
import * as Painting from "../../server/fixture/Painting.ts"
import type { Answer, Doer, Hop, Moment, Observations, Orders, Step } from "./Observations.ts"
import { ObservedKv } from "./ObservedKv.ts"

interface Bindings {
  readonly OAUTH_KV: KVNamespace
  readonly ACCOUNT_AGENT: DurableObjectNamespace<AccountObject>
}

const bindings = env as unknown as Bindings

const kv = new ObservedKv(bindings.OAUTH_KV)
const hops: Array<Hop> = []
const answers: Array<Answer> = []
let replaced: Orders["replace"]

/** The namespace of the objects, as somebody calls it. */
const objects = (by: Doer) => ({
  getByName: (name: string) =>
    new Proxy(bindings.ACCOUNT_AGENT.getByName(name), {
      get:
        (stub, method) =>
        (...given: ReadonlyArray<unknown>): unknown => {
          hops.push({ by, method: String(method) })
          // On a stub, every name is a method.
          return (stub as unknown as Record<string | symbol, (...given: ReadonlyArray<unknown>) => unknown>)[method]!(
            ...given
          )
        }
    })
})

const observed = (by: Doer, env: object) => ({ ...env, OAUTH_KV: kv.at(by), ACCOUNT_AGENT: objects(by) })

const server = make(definition(Painting.Painter.layer))

const serve = handler(server.server, observed("worker", env), waitUntil)

const obey = ({ stale, failedWrites, replace, forget }: Orders): Observations => {
  const seen = { kv: [...kv.calls], hops: [...hops], answers: [...answers] }
  if (stale !== undefined) kv.stale = stale
  if (failedWrites !== undefined) kv.failedWrites = failedWrites
  if (replace !== undefined) replaced = replace
  if (forget === true) for (const list of [kv.calls, hops, answers]) list.length = 0
  return seen
}

/** The fixture on storage that can fail. `/_observed` takes orders, and tells what happened. */
export default {
  fetch: async (request) => {
    const { pathname: path } = new URL(request.url)
    if (path === "/_observed") return Response.json(obey(await request.json()))
    const response = await serve(request)
    const { status, headers } = response
    answers.push({ method: request.method, path, status, retryAfter: headers.get("retry-after") })
    return response
  }
} satisfies ExportedHandler

export class AccountObject extends inspectable(server.AccountObject) {
  constructor(ctx: DurableObjectState, env: object) {
    super(ctx, observed("object", env))
  }

  override admit(...given: Parameters<InstanceType<typeof server.AccountObject>["admit"]>) {
    return this.#replaceable("admit", () => super.admit(...given))
  }

  override keep(...given: Parameters<InstanceType<typeof server.AccountObject>["keep"]>) {
    return this.#replaceable("keep", () => super.keep(...given))
  }

  override post(...given: Parameters<InstanceType<typeof server.AccountObject>["post"]>) {
    return this.#replaceable("post", () => super.post(...given))
  }

  override token(...given: Parameters<InstanceType<typeof server.AccountObject>["token"]>) {
    return this.#replaceable("token", () => super.token(...given))
  }

  /** Takes the step, and takes this instance down in the middle of it if that is ordered. */
  async #replaceable<A>(step: Step, take: () => Promise<A>): Promise<A> {
    const moment = replaced?.step === step ? replaced.moment : undefined
    if (moment === undefined) return take()
    replaced = null
    return this.#replacedAt(moment, take)
  }

  async #replacedAt<A>(moment: Moment, take: () => Promise<A>): Promise<A> {
    const { storage } = this.ctx
    if (moment === "before") return this.#leave()
    const commit = storage.transactionSync.bind(storage)
    if (moment === "at the commit") {
      storage.transactionSync = (changes) => {
        commit(changes)
        return this.#leave()
      }
    }
    const result = await take()
    storage.transactionSync = commit
    // What was written is on disk, and nobody was told.
    await storage.sync()
    return moment === "after" ? this.#leave() : result
  }

  #leave(): never {
    this.ctx.abort("replaced by the test")
    throw new Error("replaced by the test")
  }
}
