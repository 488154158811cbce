import type { DummyRuleMap, OxlintOverride } from "oxlint"
import { defineConfig } from "oxlint"

/**
 * Which rooms of `src/server` each room may import. What is not written here is refused, and a folder without a line
 * here may import no other.
 */
const mayImport = {
  domain: [],
  // How clients of others are connected: facts about them, for pages, documents and commands.
  clients: [],
  config: ["domain"],
  observability: ["domain", "config"],
  clerk: ["domain", "config", "observability"],
  access: ["domain", "config", "observability", "clerk"],
  capability: ["domain", "config", "access"],
  // A tool declares what it needs of the authorization server; the authorization server keeps the promise.
  oauth: ["domain", "config", "observability", "clerk", "access", "capability"],
  mcp: ["domain", "config", "observability", "clerk", "access", "capability", "oauth"],
  account: ["domain", "config", "observability", "clerk", "access", "capability", "oauth", "mcp"],
  http: ["domain", "clients", "config", "observability", "clerk", "access", "capability", "oauth", "mcp", "account"],
  // The kit for tests. No other room imports it, and with that no Worker holds it.
  testing: [
    "Server.ts",
    "domain",
    "config",
    "observability",
    "clerk",
    "access",
    "capability",
    "oauth",
    "mcp",
    "account"
  ]
} as const

type Room = keyof typeof mayImport

const deployed = Object.keys(mayImport).filter((room) => room !== "testing")

/** The same for the files directly under `src/server`. */
const composition = {
  "Server.ts": deployed,
  "Worker.ts": ["Server.ts", "account"],
  "index.ts": ["Server.ts", ...deployed]
}

/** What a team writes reaches the library through its public surface: tools through the first, the Worker both. */
const surface = { tools: "server/index.ts", worker: "server/Worker.ts" }

interface Restriction {
  /** Gitignore syntax: the later pattern wins. */
  readonly group?: Array<string>
  /** No look-around: with one, oxlint matches nothing and says nothing. */
  readonly regex?: string
  readonly allowTypeImports?: boolean
  readonly message: string
}

const everywhere: ReadonlyArray<Restriction> = [
  {
    regex: "^effect(/[a-z-]+)?$",
    allowTypeImports: true,
    message: 'A barrel makes the bundle two to three times larger. Write: import * as Effect from "effect/Effect".'
  },
  { regex: "^\\./\\.\\./|[^.]/\\.\\./|^/", message: "Write the shortest relative path: the rooms are read from it." }
]

const inSource: ReadonlyArray<Restriction> = [
  ...everywhere,
  { regex: "^(vitest|@effect/vitest|effect/testing)(/|$)", message: "Test tools stay in test/." },
  { regex: "^@effect/platform-", message: "The Worker has no Node, Bun or browser platform." }
]

const knowsClerk: Room = "clerk"

const outsideClerk: Restriction = { regex: "^@clerk/", message: "Only src/server/clerk knows Clerk's SDK." }

const imports = (restrictions: ReadonlyArray<Restriction>): DummyRuleMap => ({
  "no-restricted-imports": ["error", { patterns: [...restrictions] }]
})

/** Refuses everything under `from` (a relative prefix that means `src/server`) except the given rooms and files. */
const onlyThese = (who: string, from: string, allowed: ReadonlyArray<string>): Restriction => ({
  group: [`${from}**`, ...allowed.map((name) => (name.endsWith(".ts") ? `!${from}${name}` : `!${from}${name}/**`))],
  message: `src/server/${who} may import ${allowed.length === 0 ? "no other room" : allowed.join(", ")}: see mayImport.`
})

/** One override for a room's own files and one for its subfolders, where `src/server` is one step further up. */
const rooms: Array<OxlintOverride> = Object.entries(mayImport).flatMap(([room, allowed]) =>
  ["../", "../../"].map((from, depth) => ({
    files: [`src/server/${room}/${"*/".repeat(depth)}*.ts`],
    rules: imports([...inSource, ...(room === knowsClerk ? [] : [outsideClerk]), onlyThese(room, from, allowed)])
  }))
)

const library: Array<OxlintOverride> = Object.entries(composition).map(([file, allowed]) => ({
  files: [`src/server/${file}`],
  rules: imports([
    ...inSource,
    outsideClerk,
    onlyThese(file, "./", allowed),
    { group: ["../**"], message: "The library imports nothing from outside of itself." }
  ])
}))

const team: Array<OxlintOverride> = [
  { files: ["src/worker.ts"], from: "./", allowed: [...Object.values(surface), "tools"] },
  { files: ["src/tools/**/*.ts"], from: "../", allowed: [surface.tools] }
].map(({ files, from, allowed }) => ({
  files,
  rules: imports([
    ...inSource,
    outsideClerk,
    {
      group: [`${from}**`, ...allowed.map((name) => (name.endsWith(".ts") ? `!${from}${name}` : `!${from}${name}/**`))],
      message: "What a team writes knows the library by src/server/index.ts and src/server/Worker.ts only."
    }
  ])
}))

/** What only the runtime may touch: through Effect it can be timed, traced and replaced in a test. */
const ambient: DummyRuleMap = {
  "no-restricted-globals": [
    "error",
    { name: "fetch", message: "Use effect/http/HttpClient." },
    { name: "Date", message: "Use effect/Clock or effect/DateTime." },
    { name: "setTimeout", message: "Use Effect.sleep or a Schedule." },
    { name: "setInterval", message: "Use a Schedule." },
    { name: "queueMicrotask", message: "Use a fiber." },
    { name: "console", message: "Log through Effect." },
    { name: "process", message: "Settings come from src/server/config." },
    { name: "Buffer", message: "Use Uint8Array and effect/encoding." },
    { name: "globalThis", message: "Name the global itself." },
    { name: "self", message: "Name the global itself." }
  ],
  "no-restricted-properties": [
    "error",
    { object: "Math", property: "random", message: "Use effect/Random." },
    { property: "randomUUID", message: "Use effect/crypto/SecureRandom." },
    { property: "getRandomValues", message: "Use effect/crypto/SecureRandom." }
  ]
}

export default defineConfig({
  plugins: ["eslint", "typescript", "unicorn", "oxc", "import", "promise", "node"],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: "error" },
  ignorePatterns: [
    "node_modules",
    "dist",
    // Checked as a team checks it, from the packed library.
    "template",
    "test/package/team",
    "build",
    ".next",
    "next-env.d.ts",
    ".react-router",
    ".wrangler",
    "worker-configuration.d.ts"
  ],
  categories: { correctness: "error", suspicious: "error", perf: "warn" },
  rules: {
    // Effect's idioms.
    "require-yield": "off",
    "typescript/consistent-return": "off",
    "unicorn/consistent-function-scoping": ["error", { checkArrowFunctions: false }],
    "no-shadow": "off",
    "no-underscore-dangle": "off",
    "oxc/no-map-spread": "off",
    "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_", ignoreRestSiblings: true }],

    // Types.
    "typescript/no-explicit-any": "error",
    "typescript/no-unsafe-argument": "error",
    "typescript/no-unsafe-assignment": "error",
    "typescript/no-unsafe-call": "error",
    "typescript/no-unsafe-function-type": "error",
    "typescript/no-unsafe-member-access": "error",
    "typescript/no-unsafe-return": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/no-namespace": ["error", { allowDeclarations: true }],
    "typescript/no-require-imports": "error",
    "typescript/no-deprecated": "error",
    "typescript/ban-ts-comment": "error",
    "typescript/consistent-type-imports": "error",
    "typescript/consistent-type-exports": "error",
    "typescript/no-import-type-side-effects": "error",
    "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    "typescript/use-unknown-in-catch-callback-variable": "error",
    "typescript/no-dynamic-delete": "error",
    "typescript/prefer-readonly": "error",
    "typescript/method-signature-style": "error",
    "typescript/prefer-nullish-coalescing": [
      "error",
      { ignoreMixedLogicalExpressions: true, ignorePrimitives: { string: true } }
    ],
    "typescript/restrict-plus-operands": "error",
    "typescript/array-type": ["error", { default: "generic" }],

    // Promises, where they are left.
    "typescript/no-floating-promises": ["error", { ignoreVoid: false, checkThenables: true }],
    "typescript/no-misused-promises": "error",
    "typescript/only-throw-error": "error",
    "typescript/prefer-promise-reject-errors": "error",
    "typescript/return-await": "error",

    // Modules.
    "import/no-cycle": "error",
    "import/no-duplicates": "error",
    "import/no-named-as-default": "off",
    "import/no-mutable-exports": "error",
    "import/no-commonjs": "error",
    "oxc/no-barrel-file": ["error", { threshold: 0 }],
    "unicorn/prefer-node-protocol": "error",

    // Plain code.
    eqeqeq: ["error", "always", { null: "ignore" }],
    "array-callback-return": "error",
    "no-else-return": "error",
    "no-empty": "error",
    "no-fallthrough": "error",
    "no-new-func": "error",
    "no-new-wrappers": "error",
    "no-param-reassign": "error",
    "no-return-assign": "error",
    "no-self-compare": "error",
    "no-template-curly-in-string": "error",
    "no-useless-return": "error",
    "no-var": "error",
    "object-shorthand": "error",
    "prefer-const": "error",
    "unicorn/no-abusive-eslint-disable": "error",
    "unicorn/no-useless-promise-resolve-reject": "error",
    "unicorn/prefer-string-slice": "error"
  },
  overrides: [
    // A folder of src without a line in mayImport, or more than one folder deep in a room.
    {
      files: ["src/**"],
      rules: {
        ...imports([...inSource, outsideClerk, { group: ["../**"], message: "Give this folder a line in mayImport." }]),
        ...ambient,
        // The platform brings it, and compresses faster than any script.
        "import/no-nodejs-modules": ["error", { allow: ["node:zlib"] }]
      }
    },
    ...rooms,
    ...library,
    ...team,
    // The public surface is a barrel on purpose: nothing of the library imports it.
    { files: ["src/server/index.ts", "src/server/testing/index.ts"], rules: { "oxc/no-barrel-file": "off" } },
    // The platform reads worker.ts and the configuration files through their default export.
    {
      files: ["src/**"],
      excludeFiles: ["src/worker.ts"],
      rules: { "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true, named: true } }] }
    },
    {
      files: ["dev/**", "bench/**", "examples/**"],
      rules: {
        ...imports([
          ...everywhere,
          { regex: "(^|/)src/worker\\.ts$", message: "The Worker runs in workerd: start it with wrangler." },
          { regex: "(^|/)test/", message: "What dev and test share lives in dev." }
        ]),
        "no-await-in-loop": "off"
      }
    },
    {
      files: ["test/**"],
      plugins: ["vitest"],
      rules: {
        ...imports(everywhere),
        // A test reads foreign JSON and builds broken values on purpose.
        "typescript/no-explicit-any": "off",
        "typescript/no-non-null-assertion": "off",
        "typescript/no-unsafe-argument": "off",
        "typescript/no-unsafe-assignment": "off",
        "typescript/no-unsafe-call": "off",
        "typescript/no-unsafe-member-access": "off",
        "typescript/no-unsafe-return": "off",
        "typescript/no-unsafe-type-assertion": "off",
        "no-await-in-loop": "off",
        // it.effect asserts with `assert`, which these rules do not see.
        "vitest/expect-expect": "off",
        "vitest/no-standalone-expect": "off",
        "vitest/no-conditional-expect": "off",
        "vitest/valid-title": "off",
        // By property, because it.effect.only escapes vitest/no-focused-tests.
        "no-restricted-properties": [
          "error",
          { property: "only", message: "It silences every other test of the file." },
          { property: "skip", message: "Fix the test or delete it; skipIf is for a missing tool." }
        ],
        "vitest/no-identical-title": "error",
        "vitest/no-restricted-vi-methods": [
          "error",
          {
            mock: "Swap a layer instead.",
            doMock: "Swap a layer instead.",
            useFakeTimers: "Use TestClock."
          }
        ]
      }
    }
  ]
})
