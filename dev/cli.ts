#!/usr/bin/env node
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { deploy } from "./commands/Deploy.ts"
import { doctor } from "./commands/Doctor.ts"
import { environments } from "./commands/Environments.ts"
import { explain } from "./commands/Explain.ts"
import { init } from "./commands/Init.ts"
import { policy } from "./commands/Policy.ts"
import { setup } from "./commands/Setup.ts"
import { size } from "./commands/Size.ts"
import { start } from "./commands/Start.ts"
import { library } from "./Library.ts"

Command.make("clerk-mcp").pipe(
  Command.withDescription("A remote MCP server with Clerk sign-in on Cloudflare Workers"),
  Command.withSubcommands([init, setup, start, deploy, doctor, explain, policy, environments, size]),
  Command.run({ version: library.version }),
  Effect.provide([NodeServices.layer, FetchHttpClient.layer, SecureRandom.layerWebCrypto]),
  NodeRuntime.runMain
)
