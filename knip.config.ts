import type { KnipConfig } from "knip"

/** `!` marks what ships: `knip --production` looks at those files and at `dependencies` alone. */
const config: KnipConfig = {
  workspaces: {
    ".": {
      // The public surface is for whoever writes a server. src/worker.ts is an entry through `main` of wrangler.jsonc, the configuration files through their own tools.
      entry: [
        "src/server/index.ts!",
        "src/server/testing/index.ts!",
        "dev/*.ts!",
        "test/**/*.test.ts",
        "test/support/{EmptyServer,NextHandlers}.ts",
        "test/support/observed/Worker.ts",
        "test/support/sessions/{Crowd,Worker}.ts",
        "test/readme/TodosWorker.ts",
        "test/support/workerd/{Internet,WaitingModel}.ts",
        "test/conformance/{run,worker}.ts"
      ],
      project: ["src/**/*.ts!", "dev/**/*.ts!", "test/**/*.ts", "!test/package/team/**", "*.ts"]
    },
    // What applications import, by the package's exports.
    "examples/app-kit": { project: ["{demo,src}/**/*.ts!"] },
    "examples/hono": { project: ["src/**/*.ts!"] },
    // Its entries are the routes, by knip's own plugin.
    "examples/react-router": { project: ["app/**/*.{ts,tsx}!", "*.ts"] }
  },
  // A type that an exported signature names is exported with it.
  ignoreExportsUsedInFile: { interface: true, type: true },
  // A terminal for a test, where the machine has one.
  ignoreBinaries: ["script"],
  ignoreDependencies: [
    // The name under which tsconfig.json configures effect-tsgo, which npx brings: the lock file cannot hold it.
    "@effect/language-service",
    // Started by their commands, as a person would.
    "@modelcontextprotocol/conformance",
    "mcp-remote",
    // An optional peer, of whoever uses the kit for tests; knip takes it for a tool of development, which it is here too.
    "@modelcontextprotocol/client!",
    // Linked by npm's workspaces; the package that is packed does not need it.
    "mcp-app-kit"
  ]
}

export default config
