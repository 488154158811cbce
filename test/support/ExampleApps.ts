import * as ChildProcess from "effect/process/ChildProcess"
import { join } from "node:path"
import process from "node:process"

import { type LocalAppOptions, serveApp, startApp } from "../../dev/LocalApp.ts"

const root = join(import.meta.dirname, "../..")

/** A server that Node runs as it stands in the repository. */
const script = (path: string) => (options: LocalAppOptions) =>
  serveApp(options, (env) =>
    ChildProcess.make(process.execPath, [join(root, path)], {
      stdin: "ignore",
      env: { ...env, NODE_ENV: "production" },
      extendEnv: true
    })
  )

/** How each example is run. Next.js itself is not installed: a small server does for its handlers what it would do. */
export const exampleApps = {
  "React Router": startApp,
  Hono: script("examples/hono/src/server.ts"),
  "Next.js": script("test/support/NextHandlers.ts")
}
