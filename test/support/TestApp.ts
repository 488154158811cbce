import { testServer } from "../../src/server/testing/TestServer.ts"
import fixture from "../server/fixture/worker.ts"
import type { Settings } from "./TestConfig.ts"

/** The fixture in this process, with Ada, who is an admin, and Mina, who is not. */
export const testApp = (settings: Settings = {}) =>
  testServer(fixture, {
    users: [
      { id: "user_ada", role: "admin" },
      { id: "user_mina", firstName: "Mina" }
    ],
    settings: { FIXTURE_COLOUR: "red", ...settings }
  })
