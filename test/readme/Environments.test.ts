import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"

const root = join(import.meta.dirname, "../..")
const text = (file: string) => readFileSync(join(root, file), "utf8")

const guide = text("docs/environments.md")
const workflows = ["", "template/"].map((folder) => text(`${folder}.github/workflows/deploy.yml`))

const scripts = ["package.json", "template/package.json"].map((file) => {
  const manifest = JSON.parse(text(file)) as { readonly scripts: Readonly<Record<string, string>> }
  return manifest.scripts
})

/** What wrangler says of one of its commands, without running it. */
const helpOf = (words: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [join(root, "node_modules/wrangler/bin/wrangler.js"), ...words, "--help"], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", WRANGLER_SEND_METRICS: "false" }
  })

describe("docs/environments.md and the workflow that deploys", () => {
  it("name npm scripts that this repository and a new server have", () => {
    const named = [guide, ...workflows].flatMap((one) =>
      [...one.matchAll(/npm run ([a-z:-]+)/gu)].map(([, name]) => name!)
    )
    assert.includeMembers(named, ["setup", "environments", "check", "dev"])
    for (const name of new Set(named)) for (const has of scripts) assert.property(has, name)
    for (const has of scripts) assert.include(has["check"], "npm run environments")
  })

  it("name commands and flags that wrangler has", () => {
    const commands = [guide, ...workflows].flatMap((one) =>
      [...one.matchAll(/npx wrangler ((?:[a-z]+ )*[a-z]+)([^`\n]*)/gu)].map(([, words = "", rest = ""]) => ({
        words: words.split(" "),
        flags: [...rest.matchAll(/--[a-z-]+/gu)].map(([flag]) => flag)
      }))
    )
    assert.isAbove(commands.length, 5)
    const known = new Map<string, string>()
    for (const { flags, words } of commands) {
      const command = words.join(" ")
      const help = known.get(command) ?? helpOf(words).stdout
      known.set(command, help)
      assert.include(help, `wrangler ${command}`)
      for (const flag of flags) assert.include(help, flag, command)
    }
  }, 120_000)

  it("have one workflow for both, which gives a pull request of others no token", () => {
    const [own, team] = workflows
    assert.strictEqual(own, team)
    assert.include(own, "github.event.pull_request.head.repo.full_name == github.repository")
    assert.include(own, "github.actor != 'dependabot[bot]'")
    // Text of a pull request in a script would be run.
    for (const [, expression] of own!.matchAll(/run: .*\$\{\{ ([^}]*) \}\}/gu)) assert.match(expression!, /sha$/u)
    assert.notInclude(own, "pull_request_target")
    const secrets = [...own!.matchAll(/secrets\.(\w+)/gu)].map(([, name]) => name)
    assert.deepStrictEqual(secrets, ["CLOUDFLARE_API_TOKEN"])
  })

  it("ask the deploy button's visitor for secrets that the server has, and for no variable of wrangler.jsonc", () => {
    for (const folder of ["", "template/"]) {
      const names = [...text(`${folder}.dev.vars.example`).matchAll(/^([A-Z_]+)=/gmu)].map(([, name]) => name!)
      const { cloudflare } = JSON.parse(text(`${folder}package.json`))
      assert.sameMembers(names, Object.keys(cloudflare.bindings))
      for (const name of names) assert.notInclude(text(`${folder}wrangler.jsonc`), `"${name}"`)
    }
  })
})
