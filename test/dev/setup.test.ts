import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpClient from "effect/http/HttpClient"
import * as ChildProcess from "effect/process/ChildProcess"
import { join } from "node:path"
import process from "node:process"

import { startProcess } from "../../dev/LocalProcess.ts"
import { readJsonc, setJsonc } from "../../dev/wrangler/Jsonc.ts"
import { freePort } from "../support/FreePort.ts"
import { platform } from "../support/LocalServer.ts"
import { Person } from "../support/Person.ts"
import { connectV2, Login } from "../support/SdkClients.ts"
import { type EnvironmentBlock, newTeam, SetupWorld } from "../support/SetupWorld.ts"
import type { TeamFolder } from "../support/TeamFolder.ts"

/** Each run is a process of its own, and several of wrangler. */
const patient = 300_000

const publicUrl = "https://mcp.example.com"

const blockOf = (team: TeamFolder, environment: string): EnvironmentBlock =>
  (readJsonc(team.text("wrangler.jsonc")) as { env: Record<string, EnvironmentBlock> }).env[environment]!

/** Runs the server of the folder, with these words for wrangler, as long as the scope lives. */
const serve = (team: TeamFolder, port: number, words: ReadonlyArray<string>) =>
  startProcess({
    name: "The Worker",
    command: ChildProcess.make("wrangler", ["dev", `--port=${port}`, "--inspector-port=0", ...words], {
      cwd: team.path,
      stdin: "ignore",
      env: { PATH: `${team.path}/node_modules/.bin:${process.env["PATH"]}`, NODE_ENV: "development", NO_COLOR: "1" },
      extendEnv: true
    }),
    answers: Effect.flatMap(HttpClient.get(`http://localhost:${port}/health`), (response) =>
      response.status === 200 ? Effect.succeed("") : Effect.flatMap(response.text, (text) => Effect.fail(text))
    ),
    worthPrinting: () => false
  })

/** The tools that somebody sees who signs in at the server. */
const toolsAt = (url: string, clerk: { readonly url: string }) =>
  Effect.promise(async () => {
    const person = new Person({ url, clerk }, "member@example.com")
    const client = await connectV2({ pin: "2026-07-28" })(`${url}/mcp`, new Login(person, { scopes: ["stock:read"] }))
    const tools = await client.tools()
    await client.close()
    return tools
  })

layer(SetupWorld.layer, { excludeTestServices: true })("clerk-mcp setup --yes", (it) => {
  it.effect(
    "takes a new server to an environment at Cloudflare that signs people in, and changes nothing when run again",
    () =>
      Effect.gen(function* () {
        const { clerk, cloudflare, proxy, secretKey, setup, team } = yield* newTeam
        const port = yield* Effect.promise(freePort)
        const url = `http://localhost:${port}`
        const first = yield* setup("staging", { PUBLIC_URL: url })
        assert.strictEqual(first.code, 0, first.said)
        for (let step = 1; step <= 6; step++) assert.include(first.said, `[${step}/6] `)
        for (const left of [`${url}/webhooks/clerk`, "https://dashboard.clerk.com/~/webhooks", "public metadata"]) {
          assert.include(first.said, left)
        }
        assert.deepStrictEqual(proxy.changes, ["POST /v1/oauth_applications"])
        const secrets = cloudflare.workers.get("acme-staging")!
        assert.sameMembers([...secrets.keys()], ["CLERK_SECRET_KEY", "CLERK_CLIENT_SECRET", "STATE_SIGNING_KEYS"])
        assert.strictEqual(blockOf(team, "staging").kv_namespaces[0]?.id, cloudflare.namespaces[0]?.id)

        // No secret on the screen, in a file, or in what a list of processes could show.
        const everything = [first.said, ...Object.values(team.files())].join("\n")
        for (const secret of secrets.values()) assert.notInclude(everything, secret)
        assert.strictEqual(secrets.get("CLERK_SECRET_KEY"), secretKey)

        const files = team.files()
        const changes = { clerk: [...proxy.changes], cloudflare: [...cloudflare.changes] }
        const second = yield* setup("staging")
        assert.strictEqual(second.code, 0, second.said)
        assert.deepStrictEqual(team.files(), files)
        assert.deepStrictEqual({ clerk: proxy.changes, cloudflare: cloudflare.changes }, changes)

        assert.strictEqual((yield* Effect.promise(() => team.run(["environments"]))).code, 0)
        const filesystem = yield* FileSystem.FileSystem
        const settings = join(yield* filesystem.makeTempDirectoryScoped(), "secrets.env")
        const lines = [...secrets].map(([name, value]) => `${name}='${value}'\n`)
        yield* filesystem.writeFileString(settings, lines.join(""))
        yield* serve(team, port, ["--env=staging", `--env-file=${settings}`])
        assert.deepStrictEqual(yield* toolsAt(url, clerk), ["checkStock"])
      }).pipe(Effect.scoped, Effect.provide(platform)),
    patient
  )

  it.effect(
    "finishes after it was killed at each change that it makes, before it heard that the change was made",
    () =>
      Effect.gen(function* () {
        const { cloudflare, proxy, setup, team } = yield* newTeam
        const kill = () => team.kill()
        const killed = Effect.gen(function* () {
          const { code, said } = yield* setup("staging", { PUBLIC_URL: publicUrl })
          assert.isNull(code, said)
          proxy.afterChange = () => {}
          cloudflare.afterChange = () => {}
          return said
        })
        const killAt = (part: string) => {
          cloudflare.afterChange = ({ path }) => (path.endsWith(part) ? kill() : undefined)
        }
        killAt("/namespaces")
        yield* killed
        assert.isUndefined(blockOf(team, "staging").kv_namespaces[0]?.id)
        proxy.afterChange = kill
        yield* killed
        // The secret of the application that was made is lost with the process: Clerk makes another one.
        proxy.afterChange = kill
        yield* killed
        assert.match(
          proxy.changes.join(),
          /^POST \/v1\/oauth_applications,POST \/v1\/oauth_applications\/oa_\w+\/rotate_secret$/u
        )
        killAt("/scripts/acme-staging")
        yield* killed
        killAt("/secrets-bulk")
        yield* killed
        assert.strictEqual(blockOf(team, "staging").vars["CLERK_CLIENT_ID"], "")

        const { code, said } = yield* setup("staging", { PUBLIC_URL: publicUrl })
        assert.strictEqual(code, 0, said)
        assert.lengthOf(cloudflare.namespaces, 1)
        assert.lengthOf(
          proxy.changes.filter((change) => change === "POST /v1/oauth_applications"),
          1
        )
        const block = blockOf(team, "staging")
        assert.include(block.vars, { PUBLIC_URL: publicUrl, SIGN_IN: "clerk" })
        assert.deepStrictEqual(block.kv_namespaces[0]?.id, cloudflare.namespaces[0]?.id)
        assert.isAbove(block.vars["CLERK_CLIENT_ID"]!.length, 8)
        // What is stored is what Clerk said last.
        const said2 = [...proxy.passed.matchAll(/"client_secret":"([^"]+)"/gu)].map(([, secret]) => secret)
        assert.strictEqual(cloudflare.workers.get("acme-staging")?.get("CLERK_CLIENT_SECRET"), said2.at(-1))
        const files = team.files()
        assert.strictEqual((yield* setup("staging")).code, 0)
        assert.deepStrictEqual(team.files(), files)
        assert.notInclude(Object.keys(files).join(), ".wrangler/setup")
      }).pipe(Effect.scoped),
    patient
  )

  it.effect(
    "writes production at the top level, with the name of the Worker as it is",
    () =>
      Effect.gen(function* () {
        const { clerk, cloudflare, secretKey, setup, team } = yield* newTeam
        const before = team.text("wrangler.jsonc")
        const webhook = `whsec_${Buffer.alloc(24, 7).toString("base64")}`
        // As a deployment without an id has made it.
        cloudflare.namespaces.push({ id: "deployed".padEnd(32, "0"), title: "acme-oauth-kv" })
        const done = yield* setup("production", { PUBLIC_URL: publicUrl, CLERK_WEBHOOK_SECRET: webhook })
        assert.strictEqual(done.code, 0, done.said)
        assert.include(done.said, "This is a development instance of Clerk's")
        assert.notInclude(done.said, "Webhooks,")
        assert.include(done.said, "npm run deploy\n")
        assert.lengthOf(cloudflare.namespaces, 1)
        const id = cloudflare.namespaces[0]?.id
        const after = team.text("wrangler.jsonc")
        assert.include(after, `"kv_namespaces": [{ "binding": "OAUTH_KV", "id": "${id}" }],\n  "durable_objects"`)
        assert.include(after, `"PUBLIC_URL": "${publicUrl}"`)
        const comments = (text: string) => text.split("\n").filter((line) => line.trim().startsWith("//"))
        assert.deepStrictEqual(comments(after), comments(before))
        assert.strictEqual(cloudflare.workers.get("acme")?.get("CLERK_WEBHOOK_SECRET"), webhook)

        // Another key of the same instance is stored when that is asked for, and then the client secret is a new one.
        const held = cloudflare.workers.get("acme")!
        const [secret, keys] = [held.get("CLERK_CLIENT_SECRET"), held.get("STATE_SIGNING_KEYS")]
        const replaced = yield* setup("production", {}, "--replace-secrets")
        assert.strictEqual(replaced.code, 0, replaced.said)
        assert.notStrictEqual(held.get("CLERK_CLIENT_SECRET"), secret)
        assert.strictEqual(held.get("STATE_SIGNING_KEYS"), keys)

        // What is stored is of another Clerk instance than the key.
        const path = ["vars", "CLERK_FRONTEND_API"]
        team.write("wrangler.jsonc", setJsonc(team.text("wrangler.jsonc"), path, "https://clerk.other.example"))
        held.set("CLERK_SECRET_KEY", "sk_live_of_the_other")
        yield* clerk.admin.reset
        const moved = yield* setup("production")
        assert.strictEqual(moved.code, 0, moved.said)
        assert.strictEqual(held.get("CLERK_SECRET_KEY"), secretKey)
        assert.strictEqual(held.get("STATE_SIGNING_KEYS"), keys)
        assert.include(moved.said, "Webhooks,")
      }).pipe(Effect.scoped),
    patient
  )
})
