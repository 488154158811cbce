/** What is imported of `cloudflare:workers`, which exists in workerd only. It never comes to use here. */
// oxlint-disable-next-line typescript/no-extraneous-class -- the library asks what extends it
export class WorkerEntrypoint {}
// oxlint-disable-next-line typescript/no-extraneous-class -- the class of the users' objects extends it
export class DurableObject {}

/** No settings: what runs here gets its own. */
export const env = {}

export const waitUntil = (): void => {}

// What workerd tells about its flags, so that the library does not warn about a flag that wrangler.jsonc sets.
Object.assign(globalThis, { Cloudflare: { compatibilityFlags: { global_fetch_strictly_public: true } } })
