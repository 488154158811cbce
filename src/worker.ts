import { env, waitUntil } from "cloudflare:workers"
import * as App from "./App.ts"

// Built at module scope: what is built inside a request captures that request.
const fetch = App.handler({ ...env }, waitUntil)

export default { fetch } satisfies ExportedHandler
