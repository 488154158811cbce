import { assert, layer } from "@effect/vitest"

import { behaviours, knownClients, metadataAddress, registrationOf } from "../../../src/server/clients/KnownClients.ts"
import { onServer, RunningServer } from "../../support/RunningServer.ts"

layer(RunningServer.layer)("known clients", (it) => {
  for (const { id, title } of knownClients) {
    const behaviour = behaviours[id]
    if (behaviour === undefined) continue

    it.effect(
      `${title}: is challenged at its first request, finds the metadata that it tries, and may call from its pages`,
      onServer(async ({ mcp }) => {
        const first = await fetch(mcp, { method: behaviour.first })
        assert.strictEqual(first.status, 401)
        assert.match(first.headers.get("www-authenticate") ?? "", /resource_metadata=/u)
        for (const metadata of behaviour.metadata ?? []) {
          const { status } = await fetch(metadataAddress(metadata, mcp))
          assert.strictEqual(status, metadata === "openid" ? 404 : 200, metadata)
        }
        for (const origin of behaviour.origins ?? []) {
          const { headers } = await fetch(mcp, { method: "POST", headers: { origin } })
          assert.strictEqual(headers.get("access-control-allow-origin"), origin)
        }
      })
    )

    const registration = registrationOf(id, 41_234)
    if (registration === undefined) continue
    it.effect(
      `${title}: registers as it does, with every address at which it waits`,
      onServer(async ({ url }) => {
        const headers = { "content-type": "application/json" }
        const answer = await fetch(`${url}/register`, { method: "POST", headers, body: JSON.stringify(registration) })
        assert.strictEqual(answer.status, 201)
        const registered = await answer.json<Readonly<Record<string, unknown>>>()
        assert.deepStrictEqual(registered["redirect_uris"], registration["redirect_uris"])
      })
    )
  }
})
