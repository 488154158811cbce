import { assert, describe, it } from "@effect/vitest"

import type { Decision } from "../../../src/server/observability/Decisions.ts"
import { eras, signIn, toolCall, until } from "../../support/workerd/Caller.ts"
import { places } from "../../support/workerd/Places.ts"
import type { ModelCalls } from "../../support/workerd/WaitingModel.ts"

const calls = async (): Promise<ModelCalls> => (await fetch(`${places.waitingModel}/_model`)).json<ModelCalls>()

/** What is stored of the decisions on the messages of a token's user, the newest first. */
const decisions = async (token: string): Promise<ReadonlyArray<string>> => {
  const response = await fetch(`${places.waitingModel}/_decisions?user=${token.split(":")[0]}`)
  const found = await response.json<ReadonlyArray<Decision>>()
  return found.map(({ method, name, outcome }) => `${method} ${name} ${outcome}`)
}

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

    it(`is told in the one record of the call, which is stored after the client has left (${era})`, async () => {
      const token = await signIn("artist@example.com")
      const before = (await decisions(token)).length
      const { started } = await calls()
      const leaving = new AbortController()
      const { signal } = leaving
      const call = toolCall(places.waitingModel, token, "paint", { prompt: "a lighthouse" }, { era, signal })
      const abandoned = call.then((response) => response.text()).catch(() => "abandoned")
      await until(async () => (await calls()).started === started + 1)
      leaving.abort()
      assert.strictEqual(await abandoned, "abandoned")
      await until(async () => (await decisions(token)).length > before)
      assert.deepEqual((await decisions(token)).slice(0, -before || undefined), ["tools/call paint cancelled"])
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
