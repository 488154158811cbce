import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { ClerkStandIn } from "../../../dev/clerk/ClerkStandIn.ts"
import { MeasuredWorker } from "../../support/MeasuredWorker.ts"
import { signingKeys } from "../../support/RunningServer.ts"
import type { Crowd } from "../../support/sessions/Crowd.ts"

/** An object sleeps after 10 seconds without a request. */
const untilAsleep = () => new Promise((resolve) => setTimeout(resolve, 12_000))

const KiB = 1_024

const measure = async ({ users, settings }: ClerkStandIn["Service"]) => {
  await using worker = await MeasuredWorker.start("test/support/sessions/Crowd.ts", {
    ...settings,
    PUBLIC_URL: "https://mcp.example.com",
    SIGN_IN: "clerk",
    STATE_SIGNING_KEYS: `now:${signingKeys.now}`
  })
  const open = async (objects: ReadonlyArray<string>) => {
    for (let opened = 0; opened < objects.length; opened += 20) {
      await worker.post({ userId: users.premium.id, objects: objects.slice(opened, opened + 20) } satisfies Crowd)
    }
  }
  /** What the sessions take while their objects are awake, each, and what the heap is once they sleep. */
  const cost = async (objects: ReadonlyArray<string>) => {
    await open(objects)
    const awake = await worker.heap()
    await untilAsleep()
    const asleep = await worker.heap()
    return { each: (awake - asleep) / objects.length, asleep }
  }
  await open(["first"])
  const before = await worker.heap()
  const ofOne = await cost(Array.from({ length: 1_000 }, () => "one"))
  const ofMany = await cost(Array.from({ length: 200 }, (_, index) => `many${index}`))
  return { before, ofOne, ofMany }
}

it.live(
  "an idle session takes little memory, and none once its object sleeps",
  () =>
    Effect.gen(function* () {
      const clerk = yield* ClerkStandIn
      const { before, ofOne, ofMany } = yield* Effect.promise(() => measure(clerk))
      const left = [ofOne.asleep - before, ofMany.asleep - ofOne.asleep]
      console.log(`1,000 sessions of one user: ${Math.round(ofOne.each)} bytes of memory per idle session`)
      console.log(`200 users with one each: ${Math.round(ofMany.each)} bytes of memory per idle session`)
      console.log(`asleep: ${left.join(" and ")} bytes more than before, of all together`)
      // 32 servers of one user stay in memory, at about 11 KiB. Without that limit, each session would take as much.
      assert.isAtMost(ofOne.each, 4 * KiB)
      assert.isAtMost(ofMany.each, 256 * KiB)
      // Code that was compiled meanwhile stays. 200 objects would be nearly 20 MiB.
      for (const bytes of left) assert.isAtMost(bytes, 3_072 * KiB)
    }).pipe(Effect.provide(ClerkStandIn.layer({ port: 0, redirectUris: ["http://localhost/callback"] }))),
  120_000
)
