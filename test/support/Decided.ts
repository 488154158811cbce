import * as Schema from "effect/Schema"

import { Decision } from "../../src/server/observability/Decisions.ts"

/** A decision as tests make it up. */
export const decided = (change: Partial<typeof Decision.Encoded> = {}): Decision =>
  Schema.decodeSync(Decision)({
    time: 0,
    userId: "user_ada",
    clientId: "the-client",
    grantId: "grantOfAda",
    method: "tools/call",
    name: "paint",
    policy: "allowed",
    lacked: [],
    durationMs: 5,
    outcome: "completed",
    reference: "AAAA2222",
    ...change
  })
