import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"

import { freePort } from "../support/FreePort.ts"
import { StartScript } from "../support/StartScript.ts"

const root = join(import.meta.dirname, "../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")
const pages = ["README.md", "CONTRIBUTING.md", "template/README.md", ...globSync("docs/*.md", { cwd: root }).toSorted()]

/** Every line of shell that a page shows, without comments. */
const shown = pages.flatMap((page) =>
  [...read(page).matchAll(/^```sh\n([\s\S]*?)^```$/gmu)]
    .flatMap(([, lines = ""]) => lines.split("\n"))
    .map((line) => ({ page, line: line.replace(/ +#.*$/u, "").trim() }))
    .filter(({ line }) => line !== "")
)

type Proof =
  /** Ends with 0 when it is run here, in this repository. */
  | { readonly runsHere: ReadonlyArray<string> }
  /** Run by this file of tests, or by the script of CI, in these words. */
  | { readonly runIn: string; readonly words: string }
  /** Run nowhere, for this reason. */
  | { readonly notRun: string }

const start = { runIn: "test/support/StartScript.ts", words: '"dev/cli.ts", "start", ...flags' }
const inCi = { runIn: ".ci/run", words: "npm run --silent" }
const teamStart = { runIn: "test/package/Package.test.ts", words: '"npm", "start", "--", "--port"' }
const account = { notRun: "changes a Cloudflare account; Environments.test.ts holds its words to what wrangler knows" }
const program = { notRun: "a program of somebody else's; test/server/e2e does what it does on the wire" }

const proofs: ReadonlyArray<readonly [line: RegExp, proof: Proof]> = [
  [/^npm ci && npm start$/u, start],
  [/^npm ci && npm test$/u, inCi],
  [/^npm ci && npm start -- --sign-in app$/u, { runIn: "test/readme/Commands.test.ts", words: '"--sign-in", "app"' }],
  [/^npm start -- --public-url /u, { runIn: "test/dev/start.test.ts", words: '"--public-url", publicUrl' }],
  [/^npm start$/u, teamStart],
  [/^npm test$/u, { runIn: "test/package/Package.test.ts", words: 'run(acme(), "npm", "test")' }],
  [/^npm run (?:test:\w+|check)$/u, inCi],
  [/^npm install$/u, { runIn: "test/package/Package.test.ts", words: 'run(acme(), "npm", "install"' }],
  [/^npm install clerk-mcp-worker@latest$/u, { notRun: "installs from a registry what is not published yet" }],
  [/^npx --package \S+\.tgz clerk-mcp init acme$/u, { runIn: "test/package/Package.test.ts", words: '"init", "acme"' }],
  [/^cd acme && npm install && npm start$/u, teamStart],
  [/^npm run environments$/u, { runsHere: ["dev/cli.ts", "environments"] }],
  [/^npm run setup(?: -- --env production)?$/u, { runIn: "test/dev/setup.test.ts", words: '"clerk-mcp setup --yes"' }],
  [/^npm run setup -- --yes --env staging$/u, { runIn: "test/dev/setup.test.ts", words: '"clerk-mcp setup --yes"' }],
  [/^npm run setup -- --env local$/u, { runIn: "test/dev/setup-local.test.ts", words: 'setup("local")' }],
  [/^npm run dev$/u, { runIn: "test/dev/setup.test.ts", words: 'ChildProcess.make("wrangler", ["dev"' }],
  [/^npm run deploy(?: -- --env staging)?$/u, { runIn: "test/dev/deploy.test.ts", words: 'deploy("--env", "staging"' }],
  [/^npm run doctor -- https:/u, { runIn: "test/dev/doctor.test.ts", words: '"dev/cli.ts", "doctor"' }],
  [/^npm run explain -- /u, { runIn: "test/dev/explain.test.ts", words: '"dev/cli.ts", "explain"' }],
  [/^curl http:\/\/localhost:8788\/register /u, { runIn: "test/dev/start.test.ts", words: "register --json" }],
  [/^npx wrangler (?:login|rollback|delete|kv namespace delete)\b/u, account],
  [/^(?:claude|codex|gemini) mcp /u, program],
  [/^npx -y mcp-remote /u, { runIn: "test/server/e2e/McpRemote.test.ts", words: "McpRemote" }],
  [/^cloudflared tunnel /u, { notRun: "opens a tunnel to the internet; test/support/Tunnel.ts stands in for it" }]
]

describe("the shell commands of the pages", () => {
  it("are run by a test, or are said here not to be, with the reason", () => {
    assert.isAbove(shown.length, 30)
    const unproved = shown.filter(({ line }) => !proofs.some(([known]) => known.test(line)))
    assert.deepStrictEqual(unproved, [])
  })

  it("are all still shown", () => {
    const gone = proofs.filter(([known]) => !shown.some(({ line }) => known.test(line))).map(([known]) => known.source)
    assert.deepStrictEqual(gone, [])
  })

  it("are run where the list says", () => {
    for (const [, proof] of proofs) {
      if (!("runIn" in proof)) continue
      assert.isTrue(existsSync(join(root, proof.runIn)), proof.runIn)
      assert.include(read(proof.runIn), proof.words, proof.runIn)
    }
  })

  it("end well where they can be run here", () => {
    for (const [known, proof] of proofs) {
      if (!("runsHere" in proof)) continue
      const { status, stdout, stderr } = spawnSync(process.execPath, [...proof.runsHere], {
        cwd: root,
        encoding: "utf8",
        env: { ...process.env, NO_COLOR: "1" }
      })
      assert.strictEqual(status, 0, `${known.source}\n${stdout}${stderr}`)
    }
  })

  it("start the example app beside the server, where people sign in through it", async () => {
    const [port, clerkPort, appPort] = [await freePort(), await freePort(), await freePort()].map(String)
    const ports = ["--port", port!, "--clerk-port", clerkPort!, "--app-port", appPort!]
    await using script = new StartScript("--sign-in", "app", ...ports)
    await script.ready()
    const signIn = await fetch(`http://127.0.0.1:${appPort}/auth/mcp`)
    assert.strictEqual(signIn.status, 400)
    assert.include(await signIn.text(), "Start in your MCP client")
    assert.strictEqual((await fetch(`http://localhost:${port}/mcp`)).status, 401)
  })

  it("lead to addresses of the right form, everywhere on the pages", () => {
    const links = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((https?:[^)]*)\)/gu)].map(([, link = ""]) => ({ page, link }))
    )
    assert.isAbove(links.length, 5)
    const wrong = links.filter(({ link }) => !URL.canParse(link) || !link.startsWith("https://") || /\s/u.test(link))
    assert.deepStrictEqual(wrong, [])
  })
})
