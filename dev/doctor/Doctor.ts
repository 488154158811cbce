import * as Effect from "effect/Effect"

import type { HealthReport } from "../../src/server/http/HealthReport.ts"
import { origins, preflights } from "./Browsers.ts"
import { badToken, challenges } from "./Challenge.ts"
import { type Finding, merged } from "./Faults.ts"
import { inside } from "./Inside.ts"
import { confusingMetadata, resourceMetadata, serverMetadata } from "./Metadata.ts"
import { reach } from "./Reach.ts"
import { documents, signIns } from "./SignIn.ts"
import { resources, targetOf } from "./Target.ts"

export interface Examination {
  readonly url: string
  readonly findings: ReadonlyArray<Finding>
  /** What the server told of itself, if it knew this machine's key. */
  readonly report: HealthReport | undefined
}

/** What is looked at from outside, in order, where the server knows its address. */
const outside = [serverMetadata, confusingMetadata, challenges, badToken, preflights, origins, signIns, documents]

/** Looks at a running server from outside, as its clients would, and from inside, as its operators may. */
export const examine = Effect.fnUntraced(function* (url: URL) {
  const target = targetOf(url)
  const { findings, stop } = yield* reach(target)
  if (stop) return { url: target.origin, findings, report: undefined } satisfies Examination
  const metadata = yield* resourceMetadata(target)
  // A server that takes itself for another refuses nearly everything: the cause is enough.
  const mistaken = metadata.length > resources.length && metadata.every(({ id }) => id === "resource-metadata-wrong")
  const found = mistaken ? [] : yield* Effect.forEach(outside, (check) => check(target), { concurrency: 4 })
  const { findings: within, report } = yield* inside(target)
  const all = merged([...findings, ...metadata, ...found.flat(), ...within])
  return { url: target.origin, findings: all, report } satisfies Examination
})
