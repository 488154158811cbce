import type { Config } from "@react-router/dev/config"
import process from "node:process"

export default {
  ssr: true,
  buildDirectory: process.env["BUILD_DIRECTORY"] ?? "build",
  // What version 8 will do in any case.
  future: {
    v8_middleware: true,
    v8_splitRouteModules: true,
    v8_viteEnvironmentApi: true,
    v8_passThroughRequests: true,
    v8_trailingSlashAwareDataRequests: true
  }
} satisfies Config
