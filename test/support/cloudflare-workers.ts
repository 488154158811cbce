/** What the OAuth library imports of `cloudflare:workers`, which exists in workerd only. It never comes to use here. */
// oxlint-disable-next-line typescript/no-extraneous-class -- the library asks what extends it
export class WorkerEntrypoint {}
