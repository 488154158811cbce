import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { UserId } from "../domain/Principal.ts"

/** At most `calls` calls of one user in any `seconds` seconds. */
export interface Limit {
  /** From 1 to 1,000. */
  readonly calls: number
  /** From 1 to 86,400, a day. */
  readonly seconds: number
}

/** Whether a limit can be kept: what is counted is kept for each user. */
export const isLimit = Schema.is(
  Schema.Struct({
    calls: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })),
    seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 86_400 }))
  })
)

/**
 * How often one user may call a tool, as an annotation of the tool: `.annotate(CallLimit, { calls: 5, seconds: 60 })`.
 * Calls are counted in the user's Durable Object, so that all clients of the user share one exact count. One call more
 * is refused before its handler runs, as an error of the tool that says how many seconds to wait.
 *
 * Calls count whose policy admits the caller and whose arguments fit, whatever comes of them. A call that asks the
 * person something counts once, with the run that asks no more.
 */
export const CallLimit = Context.Reference<Limit | undefined>("capability/CallLimit", {
  defaultValue: () => undefined
})

/** What becomes of a call: it counts, with its time, or comes too early by so many seconds. */
export type Counted =
  | { readonly _tag: "Taken"; readonly at: number }
  | { readonly _tag: "Refused"; readonly seconds: number }

/** The times of the calls that count, oldest first, in milliseconds, and whether a call at `now` is one of them. */
export const count = (
  times: ReadonlyArray<number>,
  now: number,
  { calls, seconds }: Limit
): { readonly counted: Counted; readonly times: ReadonlyArray<number> } => {
  const period = seconds * 1_000
  const recent = times.filter((time) => time > now - period)
  // The one whose end leaves room for another. A limit may have been lowered.
  const inTheWay = recent[recent.length - calls]
  return inTheWay === undefined
    ? { counted: { _tag: "Taken", at: now }, times: [...recent, now] }
    : { counted: { _tag: "Refused", seconds: Math.ceil((inTheWay + period - now) / 1_000) }, times: recent }
}

/** The times without one call at `at`. */
export const without = (times: ReadonlyArray<number>, at: number): ReadonlyArray<number> => {
  const index = times.indexOf(at)
  return index === -1 ? times : times.toSpliced(index, 1)
}

/** The user's object was not reached: whether there is room for a call is not known. */
export class CallsNotCounted extends Schema.TaggedError<CallsNotCounted>()("CallsNotCounted", {}) {}

/** The calls of one user in memory, for tests. */
export class MemoryCalls {
  readonly #times = new Map<string, ReadonlyArray<number>>()

  take(tool: string, limit: Limit, now: number): Counted {
    const { counted, times } = count(this.#times.get(tool) ?? [], now, limit)
    this.#times.set(tool, times)
    return counted
  }

  giveBack(tool: string, at: number): void {
    this.#times.set(tool, without(this.#times.get(tool) ?? [], at))
  }
}

/** Where the calls of tools with a limit are counted: in this process, unless a server is made, which has objects. */
export const CallCounts = Context.Reference<{
  /** Counts a call, if there is room for it. */
  readonly take: (userId: UserId, tool: string, limit: Limit) => Effect.Effect<Counted, CallsNotCounted>
  /** The call at this time does not count after all. */
  readonly giveBack: (userId: UserId, tool: string, at: number) => Effect.Effect<void>
}>("capability/CallCounts", {
  defaultValue: () => {
    const users = new Map<UserId, MemoryCalls>()
    const of = (userId: UserId) => {
      const calls = users.get(userId) ?? new MemoryCalls()
      users.set(userId, calls)
      return calls
    }
    return {
      take: (userId, tool, limit) => Effect.map(Clock.currentTimeMillis, (now) => of(userId).take(tool, limit, now)),
      giveBack: (userId, tool, at) => Effect.sync(() => of(userId).giveBack(tool, at))
    }
  }
})
