import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

import { withEnvironment } from "../../dev/wrangler/ConfigFile.ts"
import { type Config, differences, notInherited, placeOf } from "../../dev/wrangler/Environments.ts"
import { readJsonc, setJsonc } from "../../dev/wrangler/Jsonc.ts"
import { TeamFolder } from "../support/TeamFolder.ts"

const config = (text: string) => readJsonc(text) as Config
const template = readFileSync("template/wrangler.jsonc", "utf8")
const sample = readFileSync("wrangler.jsonc", "utf8")

/** Everything in a text that is a comment. */
const comments = (text: string) => text.split("\n").filter((line) => /^\s*\/\//u.test(line))

describe("a value in wrangler.jsonc", () => {
  it("is set where it stands, and everything else stays as it is", () => {
    const after = setJsonc(template, ["vars", "PUBLIC_URL"], "https://mcp.example")
    assert.strictEqual(after, template.replace('"PUBLIC_URL": ""', '"PUBLIC_URL": "https://mcp.example"'))
    assert.strictEqual(setJsonc(template, ["vars", "SIGN_IN"], "clerk"), template)
    const windows = template.replaceAll("\n", "\r\n")
    assert.strictEqual(setJsonc(windows, ["vars", "PUBLIC_URL"], "https://mcp.example"), after.replaceAll("\n", "\r\n"))
  })

  it("is added behind what is there, whose comment and whose comma stay with it", () => {
    const before = '{\n  "vars": {\n    "A": "1", // the first\n    "B": "2" // the last\n  }\n}\n'
    const after = '{\n  "vars": {\n    "A": "1", // the first\n    "B": "2", // the last\n    "C": "3"\n  }\n}\n'
    assert.strictEqual(setJsonc(before, ["vars", "C"], "3"), after)
    assert.strictEqual(setJsonc('{\n  "a": 1,\n}\n', ["b"], 2), '{\n  "a": 1,\n  "b": 2,\n}\n')
    assert.strictEqual(setJsonc('{ "a": { "b": 1 } }', ["a", "c"], "x"), '{ "a": { "b": 1, "c": "x" } }')
    assert.strictEqual(setJsonc('{ "a": [] }', ["a", 0], { b: 1 }), '{ "a": [{ "b": 1 }] }')
    assert.strictEqual(setJsonc("{}", ["env", "x", "vars"], {}), '{ "env": { "x": { "vars": {} } } }')
    assert.isUndefined(readJsonc('{ "a": '))
  })
})

describe("the environments of wrangler.jsonc", () => {
  it("have what the top level has, in this repository and in a new server", () => {
    assert.deepStrictEqual(differences(config(sample)), [])
    assert.deepStrictEqual(differences(config(template)), [])
  })

  it("are compared in all that wrangler does not inherit, as its schema says", () => {
    const schema = JSON.parse(readFileSync("node_modules/wrangler/config-schema.json", "utf8"))
    const described: Readonly<Record<string, { readonly description?: string }>> =
      schema.definitions.RawEnvironment.properties
    const said = Object.entries(described).filter(([, { description = "" }]) =>
      description.includes("not automatically inherited")
    )
    assert.isAbove(said.length, 30)
    assert.includeMembers(
      notInherited,
      said.map(([name]) => name)
    )
  })

  it("are told apart in a sentence: what is lacking, what is beyond, and what is otherwise", () => {
    const text = template
      .replace('"LOW_STOCK": "5"\n  },', '"LOW_STOCK": "5",\n    "NEW": "1"\n  },')
      .replace('"ratelimits"', '"d1_databases": [{ "binding": "ORDERS", "database_name": "orders" }],\n  "ratelimits"')
    const last = text.lastIndexOf('"limit": 600')
    const drifted = `${text.slice(0, last)}"limit": 6${text.slice(last + '"limit": 600'.length)}`.replace(
      '"APP_URL": "",\n        "CLERK',
      '"APP_URL": "",\n        "STRAY": "1",\n        "CLERK'
    )
    assert.deepStrictEqual(differences(config(drifted)), [
      'env.local has ratelimits RATE_LIMIT_USER as {"name":"RATE_LIMIT_USER","simple":{"limit":6,"period":60}}, the top level as {"name":"RATE_LIMIT_USER","simple":{"limit":600,"period":60}}.',
      "env.local lacks d1_databases ORDERS, which the top level has.",
      "env.local lacks the variable NEW, which the top level has.",
      "env.local has the variable STRAY, which the top level lacks."
    ])
  })

  it("may have values and resources of their own, and on a laptop be without what is at Cloudflare only", () => {
    const ai = template.replace('"ratelimits"', '"ai": { "binding": "AI" },\n  "ratelimits"')
    assert.deepStrictEqual(differences(config(ai)), [])
    const staging = withEnvironment(ai, config(ai), "staging")
    assert.deepStrictEqual(differences(config(staging)), [])
    assert.deepStrictEqual(config(staging)["ai"], { binding: "AI" })
    const without = staging.replaceAll('"ai": { "binding": "AI" },\n      ', "")
    assert.deepStrictEqual(differences(config(without)), ["env.staging lacks ai, which the top level has."])
    const named = setJsonc(staging, ["env", "staging", "kv_namespaces", 0, "id"], "abc")
    assert.deepStrictEqual(differences(config(named)), [])
    const standIn = setJsonc(named, ["env", "staging", "vars", "CLERK_API_URL"], "http://localhost:1")
    assert.deepStrictEqual(differences(config(standIn)), [])
  })

  it("are written as the top level wants them, with what they have of their own", () => {
    const first = withEnvironment(template, config(template), "staging")
    assert.deepStrictEqual(comments(first), comments(template))
    assert.isTrue(first.startsWith(template.slice(0, template.lastIndexOf("    }\n"))))
    const own = setJsonc(first, ["env", "staging", "kv_namespaces", 0, "id"], "abc")
    const valued = setJsonc(own, ["env", "staging", "vars", "LOW_STOCK"], "7")
    const grown = setJsonc(setJsonc(valued, ["vars", "NEW"], "1"), ["queues"], {
      producers: [{ binding: "JOBS", queue: "jobs" }]
    })
    const written = withEnvironment(withEnvironment(grown, config(grown), "staging"), config(grown), "local")
    assert.deepStrictEqual(differences(config(written)), [])
    const { env } = config(written) as unknown as { env: Record<string, Record<string, unknown>> }
    const { kv_namespaces: kv, queues, vars } = env["staging"] ?? {}
    assert.deepStrictEqual(kv, [{ binding: "OAUTH_KV", id: "abc" }])
    assert.deepStrictEqual(queues, { producers: [{ binding: "JOBS" }] })
    assert.deepInclude(vars, { LOW_STOCK: "7", NEW: "1", PUBLIC_URL: "" })
    assert.strictEqual(withEnvironment(written, config(written), "staging"), written)
  })

  it("have production at the top level, unless it has a block of its own", () => {
    assert.deepInclude(placeOf(config(template), "production"), { path: [], flag: "", worker: "my-mcp-server" })
    const block = withEnvironment(template, config(template), "production")
    const place = { path: ["env", "production"], flag: "production", worker: "my-mcp-server-production" }
    assert.deepInclude(placeOf(config(block), "production"), place)
  })

  it("are compared by `clerk-mcp environments`, which mends them with --write", async () => {
    await using team = await TeamFolder.make()
    const good = await team.run(["environments"])
    assert.strictEqual(good.code, 0, good.said)
    assert.include(good.said, "have all that its top level has: local.")
    assert.strictEqual((await team.run(["environments", "local", "production"])).code, 0)
    const absent = await team.run(["environments", "local", "preview"])
    assert.strictEqual(absent.code, 1)
    assert.include(absent.said, "npm run setup -- --env preview")
    const before = setJsonc(team.text("wrangler.jsonc"), ["vars", "NEW"], "1")
    team.write("wrangler.jsonc", before)
    const bad = await team.run(["environments"])
    assert.strictEqual(bad.code, 1)
    assert.include(bad.said, "env.local lacks the variable NEW, which the top level has.")
    assert.include(bad.said, "npm run environments -- --write")
    assert.strictEqual(team.text("wrangler.jsonc"), before)
    assert.strictEqual((await team.run(["environments", "--write"])).code, 0)
    assert.strictEqual((await team.run(["environments"])).code, 0)
    const stray = setJsonc(team.text("wrangler.jsonc"), ["env", "local", "vars", "STRAY"], "1")
    team.write("wrangler.jsonc", stray)
    const left = await team.run(["environments", "--write"])
    assert.strictEqual(left.code, 1)
    assert.include(left.said, "Move that to the top level, or remove it.")
    assert.strictEqual(team.text("wrangler.jsonc"), stray)
  }, 120_000)
})
