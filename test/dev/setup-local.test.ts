import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync, spawnSync } from "node:child_process"
import { statSync } from "node:fs"
import { join } from "node:path"

import { readJsonc, setJsonc } from "../../dev/wrangler/Jsonc.ts"
import { newTeam, SetupWorld } from "../support/SetupWorld.ts"

/** Each run is a process of its own, or several. */
const patient = 300_000

const publicUrl = "https://mcp.example.com"

layer(SetupWorld.layer, { excludeTestServices: true })("clerk-mcp setup on a laptop", (it) => {
  it.effect(
    "puts secrets into .dev.vars, which git ignores, and settings into wrangler.jsonc",
    () =>
      Effect.gen(function* () {
        const { cloudflare, proxy, secretKey, setup, team } = yield* newTeam
        execFileSync("git", ["init", "--quiet"], { cwd: team.path })
        team.write(".dev.vars", '# mine\nLOW_STOCK="13"\nCLERK_CLIENT_ID=""\nSTATE_SIGNING_KEYS=""\n')
        const { code, said } = yield* setup("local")
        assert.strictEqual(code, 0, said)
        assert.deepStrictEqual(cloudflare.changes, [])
        const { env } = readJsonc(team.text("wrangler.jsonc")) as { env: { local: { vars: Record<string, string> } } }
        const { CLERK_CLIENT_ID: clientId, PUBLIC_URL: address } = env.local.vars
        assert.strictEqual(address, "http://localhost:8788")
        const vars = team.text(".dev.vars")
        assert.isTrue(vars.startsWith('# mine\nLOW_STOCK="13"\n'))
        // An empty entry there would hide the one in wrangler.jsonc.
        assert.include(vars, `\nCLERK_CLIENT_ID='${clientId}'\n`)
        assert.match(vars, /^STATE_SIGNING_KEYS='k1:[A-Za-z0-9+/]{43}='$/mu)
        assert.include(vars, `CLERK_SECRET_KEY='${secretKey}'`)
        assert.strictEqual(statSync(join(team.path, ".dev.vars")).mode & 0o777, 0o600)
        const seen = execFileSync("git", ["ls-files", "--others", "--exclude-standard"], { cwd: team.path }).toString()
        assert.notInclude(seen, ".dev.vars\n")
        assert.notInclude(seen, ".wrangler")

        // The key is in the file now.
        const files = team.files()
        const again = yield* setup("local", { CLERK_SECRET_KEY: "" })
        assert.strictEqual(again.code, 0, again.said)
        assert.deepStrictEqual(team.files(), files)
        assert.deepStrictEqual(proxy.changes, ["POST /v1/oauth_applications"])
      }).pipe(Effect.scoped),
    patient
  )

  it.effect(
    "writes no secret where git would see it",
    () =>
      Effect.gen(function* () {
        const { proxy, setup, team } = yield* newTeam
        execFileSync("git", ["init", "--quiet"], { cwd: team.path })
        team.write(".gitignore", "node_modules/\n.wrangler/\n")
        const { code, said } = yield* setup("local")
        assert.strictEqual(code, 1)
        assert.include(said, "git would see .dev.vars, into which the secrets go. Nothing was written into it.")
        assert.include(said, "add the line .dev.vars to .gitignore")
        assert.notProperty(team.files(), ".dev.vars")
        assert.deepStrictEqual(proxy.changes, [])
      }).pipe(Effect.scoped),
    patient
  )

  it.effect(
    "finishes after it was killed at each step that it reports",
    () =>
      Effect.gen(function* () {
        const { proxy, setup, team } = yield* newTeam
        for (let step = 1; step <= 6; step++) {
          team.killWhenSaid(`[${step}/6]`)
          const { code, said } = yield* setup("local")
          assert.isNull(code, said)
        }
        const { code, said } = yield* setup("local")
        assert.strictEqual(code, 0, said)
        assert.lengthOf(
          proxy.changes.filter((change) => change === "POST /v1/oauth_applications"),
          1
        )
        const secrets = [...proxy.passed.matchAll(/"client_secret":"([^"]+)"/gu)].map(([, secret]) => secret)
        assert.include(team.text(".dev.vars"), `CLERK_CLIENT_SECRET='${secrets.at(-1)}'`)
        assert.notProperty(team.files(), ".wrangler/setup-local.txt")
      }).pipe(Effect.scoped),
    patient
  )

  it.effect(
    "leaves the client secret of an application alone that others may be using, and says what to do",
    () =>
      Effect.gen(function* () {
        const { proxy, setup, team } = yield* newTeam
        assert.strictEqual((yield* setup("local")).code, 0)
        // Somebody else on the team has the repository, and not the secrets.
        const theirs = team.text(".dev.vars")
        const secret = /^CLERK_CLIENT_SECRET='(.*)'$/mu.exec(theirs)?.[1] ?? ""
        team.write(".dev.vars", "")
        const refused = yield* setup("local")
        assert.strictEqual(refused.code, 1)
        assert.include(refused.said, 'Clerk has the OAuth application "acme-local" already')
        assert.include(refused.said, "CLERK_CLIENT_SECRET")
        assert.deepStrictEqual(proxy.changes, ["POST /v1/oauth_applications"])
        const given = yield* setup("local", { CLERK_CLIENT_SECRET: secret })
        assert.strictEqual(given.code, 0, given.said)
        assert.include(team.text(".dev.vars"), `CLERK_CLIENT_SECRET='${secret}'`)
        assert.deepStrictEqual(proxy.changes, ["POST /v1/oauth_applications"])
        // The secret that is stored belongs to another client id than the application that Clerk has.
        const path = ["env", "local", "vars", "CLERK_CLIENT_ID"]
        team.write("wrangler.jsonc", setJsonc(team.text("wrangler.jsonc"), path, "gone"))
        const other = yield* setup("local")
        assert.strictEqual(other.code, 1, other.said)
        assert.include(other.said, 'Clerk has the OAuth application "acme-local" already')
      }).pipe(Effect.scoped),
    patient
  )

  it.effect(
    "adds an address to the application, and keeps those that are there",
    () =>
      Effect.gen(function* () {
        const { clerk, proxy, setup } = yield* newTeam
        assert.strictEqual((yield* setup("local")).code, 0)
        const moved = yield* setup("local", { PUBLIC_URL: "http://localhost:9001" })
        assert.strictEqual(moved.code, 0, moved.said)
        assert.match(proxy.changes[1] ?? "", /^PATCH /u)
        const list = yield* Effect.promise(async () => {
          const headers = { authorization: `Bearer ${clerk.settings.CLERK_SECRET_KEY}` }
          return (await fetch(`${clerk.url}/v1/oauth_applications?name_query=acme-local`, { headers })).json()
        })
        const [{ consent_screen_enabled: consent, pkce_required: pkce, redirect_uris: addresses, scopes }] = (
          list as any
        ).data
        assert.deepStrictEqual(addresses, ["http://localhost:8788/callback", "http://localhost:9001/callback"])
        assert.deepStrictEqual([scopes, consent, pkce], ["openid", false, true])
      }).pipe(Effect.scoped),
    patient
  )

  it.effect(
    "replaces what belongs to another Clerk instance",
    () =>
      Effect.gen(function* () {
        const { clerk, setup, team } = yield* newTeam
        const webhook = `whsec_${Buffer.alloc(24, 7).toString("base64")}`
        assert.strictEqual((yield* setup("local", { CLERK_WEBHOOK_SECRET: webhook })).code, 0)
        const before = team.text(".dev.vars")
        const entry = (name: string, text: string) => new RegExp(`^${name}='(.*)'$`, "mu").exec(text)?.[1]
        const path = ["env", "local", "vars", "CLERK_FRONTEND_API"]
        team.write("wrangler.jsonc", setJsonc(team.text("wrangler.jsonc"), path, "https://other.clerk.accounts.dev"))
        team.write(".dev.vars", before.replace(/^CLERK_SECRET_KEY=.*$/mu, "CLERK_SECRET_KEY='sk_test_of_the_other'"))
        yield* clerk.admin.reset
        const { code, said } = yield* setup("local")
        assert.strictEqual(code, 0, said)
        const after = team.text(".dev.vars")
        assert.notStrictEqual(entry("CLERK_CLIENT_SECRET", after), entry("CLERK_CLIENT_SECRET", before))
        assert.strictEqual(entry("CLERK_SECRET_KEY", after), entry("CLERK_SECRET_KEY", before))
        assert.strictEqual(entry("STATE_SIGNING_KEYS", after), entry("STATE_SIGNING_KEYS", before))
        assert.include(said, "asks for its signing secret")
        assert.include(team.text("wrangler.jsonc"), clerk.settings.CLERK_FRONTEND_API)
      }).pipe(Effect.scoped),
    patient
  )

  it.effect(
    "is for an app that signs people in, too: no application, and the JWT template is left to do",
    () =>
      Effect.gen(function* () {
        const { proxy, setup, team } = yield* newTeam
        const variables = { SIGN_IN: "app", APP_URL: "https://app.example" }
        team.write("wrangler.jsonc", team.text("wrangler.jsonc").replaceAll('"mcp-server"', '"other"'))
        const { code, said } = yield* setup("local", variables)
        assert.strictEqual(code, 0, said)
        assert.include(said, "Make one named other at https://dashboard.clerk.com/~/jwt-templates with the claims")
        assert.include(said, '{"aud":"https://app.example"')
        assert.deepStrictEqual(proxy.changes, [])
        assert.notInclude(team.text(".dev.vars"), "CLERK_CLIENT_SECRET")
      }).pipe(Effect.scoped),
    patient
  )

  it.effect(
    "says of each failure what to do next, and prints no secret",
    () =>
      Effect.gen(function* () {
        const { clerk, cloudflare, setup, team } = yield* newTeam
        const local = (variables: Readonly<Record<string, string>>) => setup("local", variables)
        const fault = (status: number, code: string) =>
          clerk.admin.addFault({ path: "/v1/instance", times: 1, effect: { kind: "refused", status, code } })
        const failures = [
          [local({ CLERK_SECRET_KEY: "" }), "set CLERK_SECRET_KEY in the environment"],
          [local({ CLERK_SECRET_KEY: "pk_live_notSecret" }), "This is Clerk's publishable key"],
          [local({ CLERK_SECRET_KEY: "hunter2hunter2" }), "those start with sk_test_ or sk_live_"],
          [local({ CLERK_SECRET_KEY: "sk_test_hunter2hunter2" }), "copy the secret key of your instance anew"],
          [Effect.andThen(fault(403, "not_allowed"), local({})), "manage OAuth applications"],
          [local({ CLERK_API_URL: "http://localhost:1" }), "does not answer at http://localhost:1"],
          [local({ CLERK_API_URL: "https://evil.example" }), "to which the secret key would be sent"],
          [local({ SIGN_IN: "google" }), "set it to clerk"],
          [local({ SIGN_IN: "app" }), "set APP_URL in the environment"],
          [local({ PUBLIC_URL: "http://mcp.example.com" }), "no address without a path"],
          [local({ CLERK_WEBHOOK_SECRET: "hunter2hunter2" }), "those start with whsec_"],
          [setup("No Such"), "cannot be the name of an environment"],
          [setup("staging"), "set PUBLIC_URL in the environment"],
          [
            setup("staging", { PUBLIC_URL: publicUrl, CLOUDFLARE_API_BASE_URL: "http://localhost:1" }),
            "look whether this machine is online"
          ],
          [
            Effect.suspend(() => {
              cloudflare.authenticates = false
              return setup("staging", { PUBLIC_URL: publicUrl })
            }),
            "run npx wrangler login"
          ],
          [
            Effect.suspend(() => {
              cloudflare.authenticates = true
              cloudflare.accounts = ["one", "two"]
              return setup("staging", { PUBLIC_URL: publicUrl })
            }),
            "CLOUDFLARE_ACCOUNT_ID"
          ],
          [
            Effect.suspend(() => {
              cloudflare.accounts = ["one"]
              const path = ["env", "staging", "kv_namespaces", 0]
              team.write(
                "wrangler.jsonc",
                setJsonc(team.text("wrangler.jsonc"), path, { binding: "OAUTH_KV", id: "gone" })
              )
              return setup("staging", { PUBLIC_URL: publicUrl })
            }),
            "log in to the account that has it"
          ],
          [Effect.promise(() => team.run(["setup", "--yes"])), "add --env with one of local, staging, production"]
        ] as const
        for (const [run, words] of failures) {
          const { code, said } = yield* run
          assert.strictEqual(code, 1, said)
          assert.include(said, words)
          assert.match(said, /\nNext: /u)
          assert.notInclude(said, "hunter2")
          assert.notMatch(said, /^\s+at /mu)
        }
        team.write("wrangler.jsonc", "{")
        assert.include((yield* setup("local")).said, "wrangler.jsonc is no JSON with comments")
      }).pipe(Effect.scoped),
    patient
  )

  it.effect(
    "says which features are off",
    () =>
      Effect.gen(function* () {
        const { clerk, setup } = yield* newTeam
        yield* clerk.admin.setFeatures({ organizations: false })
        const { code, said } = yield* setup("local")
        assert.strictEqual(code, 0, said)
        assert.include(said, "Organizations are off")
        assert.include(said, "https://dashboard.clerk.com/~/organizations-settings")
      }).pipe(Effect.scoped),
    patient
  )

  const terminal = spawnSync("script", ["--version"]).status === 0

  it.effect.skipIf(!terminal)(
    "asks a person at a terminal, and shows no secret that is typed",
    () =>
      Effect.gen(function* () {
        const { proxy, secretKey, team } = yield* newTeam
        const said = yield* Effect.promise(() =>
          team.atTerminal(["setup"], { CLERK_API_URL: proxy.url }, [
            ["Which environment?", "\r"],
            ["Clerk secret key", `${secretKey}\r`],
            ["Signing secret of Clerk's webhooks", "\r"]
          ])
        )
        assert.include(said, "[6/6]")
        assert.notInclude(said, secretKey)
        assert.include(team.text(".dev.vars"), secretKey)
      }).pipe(Effect.scoped),
    patient
  )
})
