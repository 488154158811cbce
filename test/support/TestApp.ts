import sample from "../../src/worker.ts"
import { testServer } from "../../src/server/testing/TestServer.ts"
import type { Settings } from "./TestConfig.ts"

/** The whole application in this process, with Ada, who is an admin, and Mina, who is not. */
export const testApp = (settings: Settings = {}) =>
  testServer(sample, {
    users: [
      { id: "user_ada", role: "admin" },
      { id: "user_mina", firstName: "Mina" }
    ],
    settings: { IMAGE_GENERATOR: "placeholder", ...settings }
  })
