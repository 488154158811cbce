import { fromAddress, publisher, places, type Place } from "./Places.ts"

/** Where a client of the tests wants its codes. No test listens there: it reads the redirect. */
const redirectUri = "http://127.0.0.1:4711/callback"

const document = (path: string, more: object = {}) =>
  Response.json({
    client_id: `${publisher}${path}`,
    client_name: "Published App",
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: "none",
    ...more
  })

/** Client metadata documents (OAuth Client ID Metadata Document), one of them as it should be. */
const documents: Readonly<Record<string, (path: string) => Response>> = {
  "/good.json": (path) => document(path),
  "/somebody-else.json": () => document("/good.json"),
  "/large.json": (path) => document(path, { padding: "x".repeat(6_000) }),
  "/moved.json": () => Response.redirect(`${publisher}/moved-here.json`, 302),
  "/moved-here.json": () => document("/moved.json"),
  "/not-json.json": () => new Response("<h1>Published App</h1>"),
  "/broken.json": () => new Response("no such app", { status: 500 })
}

const isPlace = (name: string): name is Place => name in places

/** Everything that the Workers and the tests reach by `fetch`: the Workers themselves, one publisher, the Clerk stand-in. */
export default {
  async fetch(request, env) {
    const url = new URL(request.url)
    const place = Object.keys(places).find((name) => isPlace(name) && places[name] === url.origin)
    if (place !== undefined) {
      // Every isolate of an application sees its public address. Between Workers there is no Host unless it is written.
      const addressed = new Request(new URL(url.pathname + url.search, places.app), request)
      addressed.headers.set("host", new URL(places.app).host)
      const address = request.headers.get(fromAddress)
      if (address !== null) addressed.headers.set("cf-connecting-ip", address)
      return env[place]!.fetch(addressed)
    }
    if (url.origin === publisher) {
      const publish = documents[url.pathname]
      return publish === undefined ? new Response("nothing here", { status: 404 }) : publish(url.pathname)
    }
    if (url.hostname !== "localhost") throw new Error(`no route to ${url.hostname}`)
    return fetch(request)
  }
} satisfies ExportedHandler<Readonly<Record<string, Fetcher>>>
