import { assert, it } from "@effect/vitest"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"

import { application } from "../../src/server/Server.ts"
import sample from "../../src/worker.ts"
import { FakeClerk } from "../support/FakeClerk.ts"
import { connect } from "../support/McpClient.ts"
import { MemoryKv } from "../support/MemoryKv.ts"
import { settings } from "../support/TestConfig.ts"
import { Visitor } from "../support/Visitor.ts"

it("tells a tool who is signed in", async () => {
  const clerk = new FakeClerk({ id: "user_ada", role: "admin" })
  const outside = Layer.merge(clerk.layer, new MemoryKv().layer)
  const app = application(sample.server, settings, outside)
  const { handler } = HttpRouter.toWebHandler(app, { disableLogger: true })

  const { access_token } = await new Visitor(handler).signIn("user_ada")
  const client = await connect(handler, access_token)
  const { structuredContent } = await client.callTool({ name: "userInfo", arguments: {} })
  assert.deepInclude(structuredContent, { userId: "user_ada", role: "admin" })
})
