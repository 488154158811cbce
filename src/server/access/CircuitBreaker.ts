import * as Duration from "effect/Duration"

import type { ClerkError } from "../clerk/ClerkError.ts"
import { Lru } from "./Lru.ts"

/** How long Clerk is left alone after a failure that named no time, in milliseconds. */
const defaultTime = Duration.toMillis("5 seconds")
/** The longest that a named time is believed, in milliseconds. */
const longestTime = Duration.toMillis("60 seconds")

type Reason = ClerkError["reason"]

const timeAfter = (reason: Reason): number =>
  reason._tag === "ClerkUnavailable" && reason.retryAfter !== undefined
    ? Math.min(reason.retryAfter * 1_000, longestTime)
    : defaultTime

/** What Clerk failed with, and until when it is left alone, in milliseconds since 1970. */
export interface Failure {
  readonly reason: Reason
  readonly until: number
  /** Clerk was asked several times. */
  readonly insisted: boolean
}

/**
 * Leaves Clerk alone after it failed: about what it was asked, and after a rate limit (429) about everything, because
 * that is one of the Clerk instance. Times are in milliseconds since 1970.
 */
export const make = <K>() => {
  const failures = new Lru<K, Failure>()
  let limit: Failure | undefined
  return {
    open: (key: K, { reason, insisted = false }: Pick<Failure, "reason"> & Partial<Failure>, now: number): void => {
      const failure = { reason, insisted, until: now + timeAfter(reason) }
      failures.set(key, failure)
      if (reason._tag === "ClerkUnavailable" && reason.status === 429) limit = failure
    },

    /** Clerk has answered. */
    close: (key: K): void => {
      failures.delete(key)
    },

    /** The failure for which Clerk shall be left alone now. */
    failure: (key: K, now: number): Failure | undefined =>
      [failures.get(key), limit].find((failure) => failure !== undefined && now < failure.until)
  }
}
