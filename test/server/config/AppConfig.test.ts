import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

import { AppConfig, isLoopback } from "../../../src/server/config/AppConfig.ts"
import * as Settings from "../../../src/server/config/Settings.ts"
import { settings } from "../../support/TestConfig.ts"

const key = (length: number) => btoa("k".repeat(length))

/** What is wrong with these settings, as `NAME problem`. */
const problems = (env: Readonly<Record<string, unknown>>) =>
  Effect.match(AppConfig.decode(env), {
    onFailure: (error) => error.problems.map(({ name, problem }) => `${name} ${problem}`),
    onSuccess: () => []
  })

const changed = (overrides: Readonly<Record<string, unknown>>) => problems({ ...settings, ...overrides })

const required = [
  "SIGN_IN",
  "PUBLIC_URL",
  "CLERK_FRONTEND_API",
  "CLERK_SECRET_KEY",
  "STATE_SIGNING_KEYS",
  "OAUTH_KV",
  "ACCOUNT_AGENT",
  "CLERK_CLIENT_ID",
  "CLERK_CLIENT_SECRET"
]

describe("AppConfig", () => {
  it.effect("decodes a complete environment, and hides its secrets", () =>
    Effect.gen(function* () {
      const config = yield* AppConfig.decode({ ...settings, SOMETHING_ELSE: "ignored" })
      assert.strictEqual(config.PUBLIC_URL.href, "https://mcp.example.com/")
      assert(config.SIGN_IN === "clerk")
      assert.strictEqual(Redacted.value(config.CLERK_CLIENT_SECRET), settings.CLERK_CLIENT_SECRET)
      const printed = `${JSON.stringify(config)} ${Object.values(config).map(String).join(" ")}`
      for (const secret of [settings.CLERK_CLIENT_SECRET, settings.CLERK_SECRET_KEY, "the first key"]) {
        assert.notInclude(printed, secret)
      }
    })
  )

  it.effect("names everything that is missing at once", () =>
    Effect.gen(function* () {
      const all = required.map((name) => `${name} missing`)
      assert.deepStrictEqual(yield* problems({}), all)
      assert.deepStrictEqual(yield* problems(Object.fromEntries(required.map((name) => [name, ""]))), all)
      assert.deepStrictEqual(yield* problems(Object.fromEntries(required.map((name) => [name, undefined]))), all)
    })
  )

  it.effect("names what is missing and what is malformed in one go, and says what it should be", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        AppConfig.decode({ ...settings, PUBLIC_URL: "", CLERK_SECRET_KEY: "pk_test_x", OAUTH_KV: {} })
      )
      assert.deepStrictEqual(
        error.problems.map(({ name, problem }) => [name, problem]),
        [
          ["PUBLIC_URL", "missing"],
          ["CLERK_SECRET_KEY", "malformed"],
          ["OAUTH_KV", "malformed"]
        ]
      )
      for (const { name, expected } of error.problems) {
        assert.isAbove(expected.length, name.length)
        assert.include(error.message, `${name} is`)
        assert.include(error.message, expected)
      }
    })
  )

  const malformed: ReadonlyArray<readonly [name: string, values: ReadonlyArray<unknown>]> = [
    [
      "PUBLIC_URL",
      [
        "https://mcp.example.com/path",
        "https://mcp.example.com/?query",
        "https://mcp.example.com/#part",
        "https://user:secret@mcp.example.com",
        "http://mcp.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "ftp://localhost",
        "mcp.example.com",
        7
      ]
    ],
    ["SIGN_IN", ["App", "Clerk"]],
    ["CLERK_FRONTEND_API", ["clerk.example.com", "https://clerk.example.com/v1"]],
    ["CLERK_CLIENT_ID", [7]],
    ["CLERK_SECRET_KEY", ["pk_test_x", "sk_", " sk_test_x"]],
    [
      "CLERK_WEBHOOK_SECRET",
      [key(24), "whsec_", `whsec_${key(17)}`, `whsec_${key(24)}=`, `whsec_${key(23)}x`, "whsec_é"]
    ],
    ["CLERK_JWT_TEMPLATE", ["a/b", "..", "a b", "t".repeat(65)]],
    ["APP_URL", ["http://app.example.com", "https://app.example.com/path", "app"]],
    ["CLERK_API_URL", ["http://api.example.com", "api"]],
    [
      "STATE_SIGNING_KEYS",
      [
        `id:${key(31)}`,
        `first:${key(32)},second:${key(31)}`,
        `:${key(32)}`,
        key(32),
        `id:not base64`,
        `id:${key(32)},`,
        `with.dot:${key(32)}`,
        // Two keys under one id: one of them would verify what the other signed.
        `same:${key(32)},same:${key(33)}`,
        `${"x".repeat(17)}:${key(32)}`
      ]
    ],
    ["ALLOWED_ORIGINS", ["https://web.example.com", "a.example;b.example", ","]],
    ["OAUTH_KV", ["a name", {}, { get() {}, put() {}, delete() {} }]],
    ["ACCOUNT_AGENT", ["a name", {}]],
    ["ORGANIZATIONS", ["on", "Required", "true", 1]],
    ["SESSION_IDLE_HOURS", ["0", "721", "a day", 24]],
    ["CLIENT_REGISTRATION", ["closed", "Open", true]],
    ["CLIENT_HOSTS", ["https://client.example", "client.example:443", "cursor:", ","]],
    ["PRIVATE_USE_REDIRECTS", ["deny", "no"]],
    ["RATE_LIMIT_REGISTER", ["30", 30, {}]],
    ["RATE_LIMIT_USER", ["600"]]
  ]
  for (const [name, values] of malformed) {
    it.effect(`refuses a malformed ${name}, by name and without its value`, () =>
      Effect.gen(function* () {
        for (const value of values) {
          assert.deepStrictEqual(yield* changed({ [name]: value }), [`${name} malformed`], String(value))
        }
      })
    )
  }

  const sound: ReadonlyArray<readonly [name: string, values: ReadonlyArray<unknown>]> = [
    [
      "PUBLIC_URL",
      ["https://mcp.example.com/", "https://mcp.example.com:8443", "http://localhost:8788", "http://[::1]:1"]
    ],
    ["CLERK_API_URL", ["", "http://127.0.0.1:9788", "https://api.clerk.com"]],
    ["CLERK_WEBHOOK_SECRET", ["", ...[18, 23, 24, 25, 32, 64].map((length) => `whsec_${key(length)}`)]],
    ["CLERK_JWT_TEMPLATE", ["", "mcp-server"]],
    ["APP_URL", ["", "http://127.0.0.1:3000", "https://app.example.com"]],
    ["STATE_SIGNING_KEYS", [`id:${key(32)}`, `a:${key(32)}, b : ${key(64)}`]],
    ["ALLOWED_ORIGINS", ["", "web.example.com", "a.example.com, b.example.com"]],
    ["ORGANIZATIONS", ["", "optional", "required", "off"]],
    ["SESSION_IDLE_HOURS", ["", "1", "720"]],
    ["CLIENT_REGISTRATION", ["", "open", "published"]],
    ["CLIENT_HOSTS", ["", "client.example", "localhost, client.example"]],
    ["PRIVATE_USE_REDIRECTS", ["", "allow", "refuse"]],
    ["RATE_LIMIT_REGISTER", ["", undefined, { limit: () => {} }]]
  ]
  for (const [name, values] of sound) {
    it.effect(`accepts a ${name} that is in order`, () =>
      Effect.gen(function* () {
        for (const value of values) assert.deepStrictEqual(yield* changed({ [name]: value }), [], String(value))
      })
    )
  }

  it.effect("wants the address of the app for SIGN_IN=app, and no OAuth application", () =>
    Effect.gen(function* () {
      const { CLERK_CLIENT_ID: _, CLERK_CLIENT_SECRET: __, ...others } = settings
      assert.deepStrictEqual(yield* problems({ ...others, SIGN_IN: "app" }), ["APP_URL missing"])
      const config = yield* AppConfig.decode({ ...others, SIGN_IN: "app", APP_URL: "https://app.example.com" })
      assert.strictEqual(config.APP_URL?.origin, "https://app.example.com")
      assert.deepStrictEqual(yield* problems({ SIGN_IN: "app", APP_URL: "app" }), [
        "PUBLIC_URL missing",
        "CLERK_FRONTEND_API missing",
        "CLERK_SECRET_KEY missing",
        "STATE_SIGNING_KEYS missing",
        "OAUTH_KV missing",
        "ACCOUNT_AGENT missing",
        "APP_URL malformed"
      ])
    })
  )

  it.effect("wants the hosts of clients where they decide, together with whatever else is missing", () =>
    Effect.gen(function* () {
      const byHosts = { CLIENT_REGISTRATION: "hosts" }
      assert.deepStrictEqual(yield* changed(byHosts), ["CLIENT_HOSTS missing"])
      assert.deepStrictEqual(yield* changed({ ...byHosts, PUBLIC_URL: "" }), [
        "PUBLIC_URL missing",
        "CLIENT_HOSTS missing"
      ])
      assert.deepStrictEqual(yield* changed({ ...byHosts, SIGN_IN: "app" }), [
        "CLIENT_HOSTS missing",
        "APP_URL missing"
      ])
      assert.deepStrictEqual(yield* changed({ ...byHosts, CLIENT_HOSTS: "client.example" }), [])
    })
  )

  it.effect("decodes the settings of a team with its own, and names the faults of both at once", () =>
    Effect.gen(function* () {
      class Own extends Settings.make<Own>()(
        "test/Own",
        Schema.Struct({
          REGION: Schema.Literals(["eu", "us"]).annotate({ description: "where the data is" }),
          REPORTS: Schema.optionalKey(Schema.Unknown).annotate({ description: "a binding" })
        }).check(
          Schema.makeFilter(({ REGION, REPORTS }) =>
            REGION === "us" && REPORTS === undefined ? { path: ["REPORTS"], issue: "needed there" } : undefined
          )
        )
      ) {}
      class Bare extends Settings.make<Bare>()("test/Bare", Schema.Struct({ REGION: Schema.String })) {}
      const found = (env: Readonly<Record<string, unknown>>) =>
        Effect.match(AppConfig.decodeWith(env, [Own, Bare]), {
          onFailure: ({ problems }) => problems.map(({ name, problem }) => `${name} ${problem}`),
          onSuccess: ({ config, own }) => [config.PUBLIC_URL.host, Context.get(own as Context.Context<Own>, Own).REGION]
        })
      assert.deepStrictEqual(yield* found({ ...settings, REGION: "eu" }), ["mcp.example.com", "eu"])
      assert.deepStrictEqual(yield* found({ ...settings, REGION: "" }), ["REGION missing"])
      assert.deepStrictEqual(yield* found({ ...settings, PUBLIC_URL: "", REGION: "mars" }), [
        "PUBLIC_URL missing",
        "REGION malformed"
      ])
      assert.deepStrictEqual(yield* found({ ...settings, CLERK_CLIENT_ID: "", REGION: "us" }), [
        "CLERK_CLIENT_ID missing",
        "REPORTS missing"
      ])
    })
  )

  it.effect("keeps the order of the signing keys: the first one signs", () =>
    Effect.gen(function* () {
      const { STATE_SIGNING_KEYS: keys } = yield* AppConfig.decode({
        ...settings,
        STATE_SIGNING_KEYS: ` new:${key(40)} ,old:${key(32)}`
      })
      assert.deepStrictEqual(
        keys.map(({ id, secret }) => [id, Redacted.value(secret).length]),
        [
          ["new", 40],
          ["old", 32]
        ]
      )
    })
  )

  it.effect.prop(
    "never repeats a value, whatever it is",
    [Schema.String.check(Schema.isMinLength(8), Schema.isPattern(/^[!-~]+$/u)), Schema.Literals(required)],
    ([secret, name]) =>
      Effect.gen(function* () {
        const faulty = { ...settings, PUBLIC_URL: `http://${secret}`, CLERK_SECRET_KEY: secret, [name]: secret }
        const error = yield* Effect.flip(
          AppConfig.decode({ ...faulty, STATE_SIGNING_KEYS: `id:${secret}`, OAUTH_KV: secret })
        )
        assert.isAtLeast(error.problems.length, 3)
        assert.notInclude(`${error.message} ${String(error)} ${error.stack} ${JSON.stringify(error)}`, secret)
      })
  )

  it("knows which hosts mean this machine", () => {
    for (const host of ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"]) assert.isTrue(isLoopback(host), host)
    for (const host of ["localhost.example", "127.0.0.1.example", "128.0.0.1", "[::2]", "0.0.0.0", ""]) {
      assert.isFalse(isLoopback(host), host)
    }
  })
})
