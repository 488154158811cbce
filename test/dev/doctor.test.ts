import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { spawn } from "node:child_process"
import process from "node:process"

import { type Examination, examine } from "../../dev/doctor/Doctor.ts"
import { FaultyProxy } from "../support/FaultyProxy.ts"
import { freePort } from "../support/FreePort.ts"
import { platform, withServer } from "../support/LocalServer.ts"
import { plantedFaults } from "../support/PlantedFaults.ts"

const keys = `k:${Buffer.alloc(32, 5).toString("base64")}`

/** What doctor finds that somebody has to do something about. */
const faultsIn = ({ findings }: Examination) => [
  ...new Set(findings.flatMap(({ id, severity }) => (severity === "note" && id !== "registration-limited" ? [] : [id])))
]

describe("clerk-mcp doctor, on a server behind a proxy that can break", () => {
  let proxy: FaultyProxy
  let url = ""
  let server: Fiber.Fiber<unknown, unknown>

  beforeAll(async () => {
    const [publicPort, port] = [await freePort(), await freePort()]
    url = `http://localhost:${publicPort}`
    proxy = await FaultyProxy.open(publicPort, port)
    const settings = {
      STATE_SIGNING_KEYS: keys,
      CLERK_WEBHOOK_SECRET: `whsec_${Buffer.alloc(24, 5).toString("base64")}`
    }
    const running = Deferred.makeUnsafe<void>()
    server = Effect.runFork(
      withServer({ port, publicUrl: url, settings }, () =>
        Effect.andThen(Deferred.succeed(running, undefined), Effect.never)
      ).pipe(Effect.provide(platform))
    )
    await Effect.runPromise(Effect.raceFirst(Deferred.await(running), Effect.asVoid(Fiber.join(server))))
  })
  afterAll(async () => {
    await Effect.runPromise(Fiber.interrupt(server))
    await proxy[Symbol.asyncDispose]()
  })

  const examined = (key = keys) =>
    Effect.runPromise(
      examine(new URL(url)).pipe(
        Effect.provide(platform),
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({ STATE_SIGNING_KEYS: key }))
      )
    )

  it("finds nothing in a healthy server", async () => {
    proxy.fault = {}
    const examination = await examined()
    assert.deepStrictEqual(faultsIn(examination), [])
    assert.deepStrictEqual(
      examination.findings.map(({ id }) => id),
      ["no-webhook-lately"]
    )
    assert.strictEqual(examination.report?.status, "ok")
  })

  for (const [name, fault, ...expected] of plantedFaults) {
    it(`finds that ${name}`, async () => {
      proxy.fault = fault
      assert.deepStrictEqual(faultsIn(await examined()), expected)
    })
  }

  it("prints what a person needs, or JSON, and exits 1 where there is an error", async () => {
    const run = (...flags: ReadonlyArray<string>) =>
      new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) => {
        const env = { ...process.env, NO_COLOR: "1", STATE_SIGNING_KEYS: keys }
        const child = spawn(process.execPath, ["dev/cli.ts", "doctor", ...flags], { env })
        let [out, err] = ["", ""]
        child.stdout.on("data", (text) => (out += String(text)))
        child.stderr.on("data", (text) => (err += String(text)))
        child.once("close", (code) => resolve({ code, out, err }))
      })
    proxy.fault = {}
    const healthy = await run(url)
    assert.strictEqual(healthy.code, 0, healthy.out + healthy.err)
    assert.include(healthy.out, `${url}: 0 errors, 0 warnings, 1 note`)
    const [, fault = {}] = plantedFaults[0] ?? []
    proxy.fault = fault
    const broken = await run(url)
    assert.strictEqual(broken.code, 1)
    assert.match(broken.out, /^ERROR {2}The metadata of the resource is missing$/mu)
    assert.include(broken.out, `${url}/.well-known/oauth-protected-resource/mcp: 404`)
    assert.match(broken.out, /^ {2}whom: .*Claude Code.*Gemini CLI/mu)
    assert.match(broken.out, /^ {2}mend: .*well-known/mu)
    assert.include(broken.err, "An error was found at")
    assert.notMatch(broken.out + broken.err, /^\s+at \S+ \(/mu)
    const json = await run(url, "--json")
    assert.strictEqual(json.code, 1)
    const parsed = JSON.parse(json.out) as Examination
    assert.strictEqual(parsed.url, url)
    assert.strictEqual(parsed.findings[0]?.id, "resource-metadata-missing")
    assert.notInclude(json.out, keys.slice(2))
  })
})
