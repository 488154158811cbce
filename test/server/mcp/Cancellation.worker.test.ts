import { assert, describe, it } from "@effect/vitest"

import { eras, signIn, toolCall, until } from "../../support/workerd/Caller.ts"
import { places } from "../../support/workerd/Places.ts"
import type { ModelCalls } from "../../support/workerd/WaitingModel.ts"

const calls = async (): Promise<ModelCalls> => (await fetch(`${places.waitingModel}/_model`)).json<ModelCalls>()

describe("a client that leaves in the middle of a call, in workerd", () => {
  for (const era of eras) {
    it(`aborts the request to the image model (${era})`, async () => {
      const token = await signIn("admin@example.com")
      const before = await calls()
      const leaving = new AbortController()
      const call = toolCall(
        places.waitingModel,
        token,
        "paint",
        { prompt: "a lighthouse" },
        { era, signal: leaving.signal }
      )
      const abandoned = call
        .then((response) => response.text())
        .then(
          () => "answered",
          () => "abandoned"
        )
      await until(async () => (await calls()).started === before.started + 1)
      assert.strictEqual((await calls()).aborted, before.aborted)
      leaving.abort()
      assert.strictEqual(await abandoned, "abandoned")
      await until(async () => (await calls()).aborted === before.aborted + 1)
      assert.strictEqual((await calls()).answered, 0)
    })
  }

  it("leaves the calls of others alone", async () => {
    const token = await signIn("premium@example.com")
    const before = await calls()
    const [leaving, staying] = [new AbortController(), new AbortController()]
    const generate = (signal: AbortSignal) =>
      toolCall(places.waitingModel, token, "paint", { prompt: "a lighthouse" }, { signal })
        .then((response) => response.text())
        .catch(() => "abandoned")
    const both = [generate(leaving.signal), generate(staying.signal)]
    await until(async () => (await calls()).started === before.started + 2)
    leaving.abort()
    await until(async () => (await calls()).aborted === before.aborted + 1)
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.strictEqual((await calls()).aborted, before.aborted + 1)
    staying.abort()
    await Promise.all(both)
  })
})
