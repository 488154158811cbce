import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

import type { Brand } from "../../src/server/config/ServerInfo.ts"
import { colours } from "../../src/server/http/PageBrand.ts"
import { Catalogue, Policy, Settings } from "../../src/server/index.ts"
import { define, handler, type ServerDefinition } from "../../src/server/Server.ts"
import { settings } from "../support/TestConfig.ts"

class AcmeSettings extends Settings.make<AcmeSettings>()(
  "acme/Settings",
  Schema.Struct({ ACME_KEY: Schema.RedactedFromValue(Schema.String).annotate({ description: "the key of Acme" }) })
) {}

const Ping = Tool.make("ping", { success: Schema.String }).annotate(Policy.Required, Policy.scopes("acme:ping"))
const toolkit = Toolkit.make(Ping)
const catalogue = Catalogue.layer(
  Catalogue.tools(
    toolkit,
    toolkit.toLayer(
      Effect.map(AcmeSettings, ({ ACME_KEY }) => ({ ping: () => Effect.succeed(Redacted.value(ACME_KEY)) }))
    )
  )
)
const described = { name: "acme", title: "Acme tools", version: "1.0.0", scopes: { "acme:ping": "Ping Acme" } }

const serve = <Settings extends ReadonlyArray<unknown> = []>(
  definition: ServerDefinition<Settings>,
  more: object = {}
) => handler(define(definition), { ...settings, ...more }, () => {})

const paths = ["/", "/mcp", "/authorize", "/.well-known/oauth-authorization-server", "/anything"]
const at = (path: string) => new Request(`https://mcp.example.com${path}`)

describe("a definition with faults", () => {
  const faulty = [
    ["an unknown scope", { ...described, scopes: {} }, "The tool ping needs the scope acme:ping"],
    ["a scope with a space", { ...described, scopes: { ...described.scopes, "acme pong": "Pong" } }, "acme pong"],
    ["a name with a space", { ...described, name: "acme tools" }, "name has 1 to 64 letters"],
    ["a colour by name", { ...described, brand: { accent: "red" } }, "brand.accent is written as #rrggbb."],
    ["a logo elsewhere", { ...described, brand: { logo: "https://acme.example/logo.png" } }, "brand.logo"],
    ["operators of an organization", { ...described, operators: Policy.permission("org:x") }, "name roles of accounts"],
    [
      "operators of an organization, among others",
      { ...described, operators: Policy.any(Policy.roles("admin"), Policy.inOrganization) },
      "operators names an organization"
    ],
    ["everybody an operator", { ...described, operators: Policy.signedIn }, "operators admits everybody"],
    ["everybody an operator, by a scope", { ...described, operators: Policy.scopes("acme:ping") }, "admits everybody"],
    ["a support address of no kind", { ...described, brand: { support: "javascript:alert(1)" } }, "brand.support"]
  ] as const
  for (const [what, description, fault] of faulty) {
    it(`is told on every page, and nothing else is served: ${what}`, async () => {
      const handle = serve({ ...description, settings: [AcmeSettings], catalogue }, { ACME_KEY: "k" })
      for (const path of paths) {
        const response = await handle(at(path))
        assert.strictEqual(response.status, 500)
        assert.include(await response.text(), fault)
      }
    })
  }

  it("needs no settings of its own, and names those that it has with the server's", async () => {
    const bare = serve({ ...described, catalogue: Catalogue.layer() })
    assert.strictEqual((await bare(at("/"))).status, 200)
    const missing = await serve(
      { ...described, settings: [AcmeSettings], catalogue },
      { CLERK_SECRET_KEY: "" }
    )(at("/"))
    const text = await missing.text()
    for (const name of ["ACME_KEY", "CLERK_SECRET_KEY"]) assert.include(text, `<code>${name}</code>`)
  })

  it("does not compile with a catalogue that reads settings which the definition does not name", () => {
    const refused: { readonly catalogue: typeof catalogue } & typeof described extends ServerDefinition ? false : true =
      true
    assert.isTrue(refused)
  })
})

describe("the brand", () => {
  const logo = "data:image/svg+xml;base64,PHN2Zy8+"
  const page = async (brand: Brand, path = "/") => {
    const response = await serve({ ...described, brand, catalogue: Catalogue.layer() })(at(path))
    return { html: await response.text(), policy: response.headers.get("content-security-policy") ?? "" }
  }
  const sha256 = async (text: string) => {
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
    return `sha256-${Buffer.from(hash).toString("base64")}`
  }

  it("is on every page: name, logo, colour and where to get help", async () => {
    for (const path of ["/", "/nothing", "/authorize"]) {
      const { html, policy } = await page(
        { name: "Acme & Co", accent: "#7a1fa2", logo, support: "help@acme.example" },
        path
      )
      assert.include(html, "Acme &amp; Co")
      assert.include(html, `src="${logo}"`)
      assert.include(html, '<a href="mailto:help@acme.example">help@acme.example</a>')
      const sheets = [...html.matchAll(/<style>(.*?)<\/style>/gsu)].map(([, sheet = ""]) => sheet)
      assert.lengthOf(sheets, 2)
      for (const sheet of sheets) assert.include(policy, `'${await sha256(sheet)}'`)
      assert.include(policy, "img-src 'self' data:")
    }
  })

  it("adds nothing to the policy that a page does not need", async () => {
    const { html, policy } = await page({ support: "https://acme.example/help" })
    assert.include(html, "Acme tools")
    assert.include(html, 'href="https://acme.example/help"')
    assert.include(policy, "img-src 'self';")
    assert.lengthOf([...policy.matchAll(/'sha256-/gu)], 1)
  })

  it("brings colours as far as text needs it, in light and in dark mode", () => {
    assert.strictEqual(
      colours("#2457d6", "#8ab0ff"),
      ":root { --accent: #2457d6; --on-accent: #ffffff } @media (prefers-color-scheme: dark) { :root { --accent: #8ab0ff; --on-accent: #000000 } }"
    )
    const luminance = (hex: string) =>
      [1, 3, 5]
        .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at]!, 0)
    const contrast = (one: string, other: string) => {
      const [high = 0, low = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a)
      return (high + 0.05) / (low + 0.05)
    }
    for (const accent of ["#ffff00", "#000000", "#ffffff", "#808080", "#123456", "#fedcba"]) {
      const [light = "", onLight = "", dark = "", onDark = ""] = [...colours(accent).matchAll(/#[0-9a-f]{6}/gu)].map(
        String
      )
      for (const [one, other] of [
        [light, "#ffffff"],
        [light, onLight],
        [dark, "#1e1e1e"],
        [dark, onDark]
      ] as const) {
        assert.isAtLeast(contrast(one, other), 4.4, `${accent}: ${one} on ${other}`)
      }
    }
  })
})
