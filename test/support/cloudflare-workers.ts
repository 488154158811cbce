/** What the OAuth library imports of `cloudflare:workers`, which exists in workerd only. It never comes to use here. */
// oxlint-disable-next-line typescript/no-extraneous-class -- the library asks what extends it
export class WorkerEntrypoint {}

// What workerd tells about its flags, so that the library does not warn about a flag that wrangler.jsonc sets.
Object.assign(globalThis, { Cloudflare: { compatibilityFlags: { global_fetch_strictly_public: true } } })
