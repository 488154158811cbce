import * as Context from "effect/Context"
import * as Duration from "effect/Duration"

import type { ClerkError } from "../clerk/ClerkError.ts"
import { Lru } from "./Lru.ts"

/** How long the circuit stays open after a failure without `Retry-After`, in milliseconds. */
const defaultTime = Duration.toMillis("5 seconds")
/** The longest `Retry-After` that is honoured, in milliseconds. */
const longestTime = Duration.toMillis("60 seconds")

type Reason = ClerkError["reason"]

const timeAfter = (reason: Reason): number =>
  reason._tag === "ClerkUnavailable" && reason.retryAfter !== undefined
    ? Math.min(reason.retryAfter * 1_000, longestTime)
    : defaultTime

/** The failure, and until when the circuit stays open, in milliseconds since 1970. */
export interface Failure {
  readonly reason: Reason
  readonly until: number
  /** Whether Clerk was asked several times already. */
  readonly insisted: boolean
}

/** The rate limit (429) that Clerk named last. */
export interface RateLimit {
  last: Failure | undefined
}

/** What all who ask the same Clerk instance share: each has its own, unless the host shares one. */
export const SharedRateLimit = Context.Reference<RateLimit | undefined>("access/CircuitBreaker/SharedRateLimit", {
  defaultValue: () => undefined
})

/**
 * A circuit breaker in front of Clerk: after a failure it opens for the same key, and after a rate limit (429) for every
 * key, because the limit is one of the Clerk instance. Times are in milliseconds since 1970.
 */
export const make = <K>(limit: RateLimit = { last: undefined }) => {
  const failures = new Lru<K, Failure>()
  return {
    open: (key: K, { reason, insisted = false }: Pick<Failure, "reason"> & Partial<Failure>, now: number): void => {
      const failure = { reason, insisted, until: now + timeAfter(reason) }
      failures.set(key, failure)
      if (reason._tag === "ClerkUnavailable" && reason.status === 429) limit.last = failure
    },

    /** Closes the circuit: Clerk has answered. */
    close: (key: K): void => {
      failures.delete(key)
    },

    /** The failure that keeps the circuit open now, if it is open. */
    failure: (key: K, now: number): Failure | undefined =>
      [failures.get(key), limit.last].find((failure) => failure !== undefined && now < failure.until)
  }
}
