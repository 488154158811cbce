import { serve } from "@hono/node-server"
import { readSettings } from "mcp-app-kit/settings"
import process from "node:process"
import { makeApp } from "./app.ts"

const { HOST: hostname = "localhost", PORT: port = "3000" } = process.env

/** It does not start without its settings. */
serve({ fetch: makeApp(readSettings(process.env)).fetch, hostname, port: Number(port) })
