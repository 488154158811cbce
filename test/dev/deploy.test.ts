import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { withEnvironment } from "../../dev/wrangler/ConfigFile.ts"
import { isConfig } from "../../dev/wrangler/Environments.ts"
import { readJsonc, setJsonc } from "../../dev/wrangler/Jsonc.ts"
import { testServer } from "../../src/server/testing/TestServer.ts"
import { testSettings } from "../../src/server/testing/TestSettings.ts"
import fixture from "../server/fixture/worker.ts"
import { CloudflareStandIn } from "../support/CloudflareStandIn.ts"
import { serve } from "../support/FetchServer.ts"
import { freePort } from "../support/FreePort.ts"
import { webhookSecret } from "../support/SignedWebhook.ts"
import { TeamFolder } from "../support/TeamFolder.ts"

const disposed = <A extends AsyncDisposable>(open: () => Promise<A>) =>
  Effect.acquireRelease(Effect.promise(open), (opened) => Effect.promise(async () => opened[Symbol.asyncDispose]()))

/** A team's folder with the environment `staging`, whose address a healthy server answers, and an account to deploy to. */
const staged = Effect.gen(function* () {
  const cloudflare = yield* disposed(() => CloudflareStandIn.start())
  const team = yield* disposed(() => TeamFolder.make())
  const port = yield* Effect.promise(freePort)
  const url = `http://127.0.0.1:${port}`
  const settings = { PUBLIC_URL: url, CLERK_WEBHOOK_SECRET: webhookSecret, FIXTURE_COLOUR: "red" }
  const server = testServer(fixture, { settings })
  server.clerk.redirectUris = [`${url}/callback`]
  yield* serve(port, server.handler)
  const text = team.text("wrangler.jsonc")
  const config = readJsonc(text)
  if (!isConfig(config)) return yield* Effect.die("no configuration")
  const configured = [
    [["env", "staging", "vars", "PUBLIC_URL"], url],
    [["env", "staging", "kv_namespaces"], [{ binding: "OAUTH_KV", id: "kv1".padEnd(32, "0") }]]
  ] as const
  team.write(
    "wrangler.jsonc",
    configured.reduce(
      (made, [path, value]) => setJsonc(made, [...path], value),
      withEnvironment(text, config, "staging")
    )
  )
  const variables = { ...cloudflare.environment, STATE_SIGNING_KEYS: testSettings.STATE_SIGNING_KEYS }
  return {
    cloudflare,
    server,
    team,
    url,
    deploy: (...flags: ReadonlyArray<string>) => Effect.promise(async () => team.run(["deploy", ...flags], variables))
  }
})

/** The script `check` of the folder. */
const checking = (team: TeamFolder, script: string) => {
  const manifest = JSON.parse(team.text("package.json")) as { readonly scripts: object }
  team.write("package.json", JSON.stringify({ ...manifest, scripts: { ...manifest.scripts, check: script } }))
}

const printsAnd = (code: number) => `node -e "console.log('was checked'); process.exit(${code})"`

describe("clerk-mcp deploy", () => {
  it.live("checks, weighs, deploys an environment with source maps, and has doctor look at its address", () =>
    Effect.gen(function* () {
      const { cloudflare, deploy, team, url } = yield* staged
      checking(team, printsAnd(0))
      const { code, said } = yield* deploy("--env", "staging", "--message", "a first try")
      assert.strictEqual(code, 0, said)
      const steps = [
        "was checked",
        /The Worker is \d+\.\d KiB, \d+\.\d KiB gzipped \(Total Upload: /u.exec(said)?.[0] ?? "no size",
        "Uploaded acme-staging",
        `Doctor looks at ${url}`,
        "0 errors, 0 warnings"
      ]
      const places = steps.map((step) => said.indexOf(step))
      assert.deepStrictEqual(
        places.toSorted((a, b) => a - b),
        places,
        said
      )
      assert.notInclude(places, -1, said)
      assert.deepStrictEqual([...cloudflare.uploads.keys()], ["acme-staging"])
      const upload = cloudflare.uploads.get("acme-staging") ?? ""
      assert.match(upload, /name="[^"]+\.map"/u)
      assert.include(upload, "src/tools/Stock.ts")
      assert.include(upload, "a first try")
    }).pipe(Effect.scoped)
  )

  it.live("deploys nothing that fails its check", () =>
    Effect.gen(function* () {
      const { cloudflare, deploy, team } = yield* staged
      checking(team, printsAnd(3))
      const { code, said } = yield* deploy("--env", "staging")
      assert.strictEqual(code, 1)
      assert.include(said, "npm run check failed.")
      assert.include(said, "Next: mend what it names, or deploy without it: --no-check.")
      assert.lengthOf(cloudflare.changes, 0)
    }).pipe(Effect.scoped)
  )

  it.live("says what to do where there is no such environment, or no address, and deploys nothing", () =>
    Effect.gen(function* () {
      const { cloudflare, deploy } = yield* staged
      const unknown = yield* deploy("--env", "stagging")
      assert.strictEqual(unknown.code, 1)
      assert.include(unknown.said, "wrangler.jsonc has no environment stagging, but production, local, staging.")
      const empty = yield* deploy()
      assert.strictEqual(empty.code, 1)
      assert.include(empty.said, "PUBLIC_URL of production in wrangler.jsonc is not the address of a server.")
      assert.include(empty.said, "npm run setup -- --env production")
      assert.lengthOf(cloudflare.changes, 0)
    }).pipe(Effect.scoped)
  )

  it.live("says what to do where Cloudflare refuses", () =>
    Effect.gen(function* () {
      const { cloudflare, deploy } = yield* staged
      cloudflare.authenticates = false
      const { code, said } = yield* deploy("--env", "staging", "--no-check")
      assert.strictEqual(code, 1)
      assert.include(said, "wrangler deploy --env=staging --minify --upload-source-maps failed.")
      assert.include(said, "Next: mend what wrangler names")
      assert.notInclude(said, "Doctor looks at")
    }).pipe(Effect.scoped)
  )

  it.live("fails where doctor finds an error in the new version, and says how to go back", () =>
    Effect.gen(function* () {
      const { cloudflare, deploy, server } = yield* staged
      server.kv.outage = true
      const { code, said } = yield* deploy("--env", "staging", "--no-check")
      assert.strictEqual(code, 1)
      assert.include(said, "ERROR  The KV namespace does not keep what is written")
      assert.include(said, 'npx wrangler rollback --env="staging"')
      assert.strictEqual(cloudflare.uploads.size, 1)
    }).pipe(Effect.scoped)
  )

  it.live("does without doctor", () =>
    Effect.gen(function* () {
      const { cloudflare, deploy, server } = yield* staged
      server.kv.outage = true
      const { code, said } = yield* deploy("--env", "staging", "--no-check", "--no-doctor")
      assert.strictEqual(code, 0, said)
      assert.strictEqual(cloudflare.uploads.size, 1)
    }).pipe(Effect.scoped)
  )
})
