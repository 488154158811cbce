import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import { html } from "../../../src/server/http/Html.ts"
import { errorPage, page, redirect } from "../../../src/server/http/Page.ts"

const web = (response: Effect.Effect<HttpServerResponse.HttpServerResponse>) =>
  HttpServerResponse.toWeb(Effect.runSync(response))

const sha256 = async (text: string) => {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
  return `sha256-${Buffer.from(hash).toString("base64")}`
}

describe("Page", () => {
  it("names its style sheet by the hash of what stands between the tags, every character of it", async () => {
    const response = web(page("Title", html`<p>Body</p>`))
    const sheets = [...(await response.text()).matchAll(/<style>(.*?)<\/style>/gsu)].map(([, sheet = ""]) => sheet)
    assert.strictEqual(sheets.length, 1)
    const policy = response.headers.get("content-security-policy") ?? ""
    assert.include(policy, `style-src '${await sha256(sheets[0] ?? "")}'`)
  })

  it("lets nothing run, nobody frame it, nothing keep it", () => {
    const { headers, status } = web(page("Title", html`<p>Body</p>`))
    const policy = headers.get("content-security-policy") ?? ""
    assert.strictEqual(status, 200)
    assert.match(policy, /^default-src 'none'; /u)
    assert.include(policy, "frame-ancestors 'none'")
    assert.include(policy, "base-uri 'none'")
    assert.notMatch(policy, /unsafe|script-src/u)
    assert.strictEqual(headers.get("x-frame-options"), "DENY")
    assert.include(policy, "form-action 'none'")
    assert.strictEqual(headers.get("cache-control"), "no-store")
    assert.strictEqual(headers.get("content-type"), "text/html; charset=utf-8")
  })

  it("lets a form lead to this server, to a sign-in, and to where the client waits", () => {
    const sources = (leadsTo: string) =>
      /form-action ([^;]*)/u.exec(web(page("t", html``, { leadsTo })).headers.get("content-security-policy") ?? "")?.[1]
    const always = "'self' https: http://localhost:* http://127.0.0.1:*"
    for (const [redirectUri, expected] of [
      ["https://client.example/callback", always],
      ["http://localhost:33418/callback", always],
      ["http://127.0.0.2/callback", `${always} http://127.0.0.2:*`],
      ["http://[::1]:33418/callback", `${always} http:`],
      ["com.example.app:/callback", `${always} com.example.app:`]
    ] as const) {
      assert.strictEqual(sources(redirectUri), expected)
    }
  })

  it("hands cookies over and lets no other header weaken the page", () => {
    const headers = new Headers({ "content-security-policy": "default-src *", "content-type": "text/plain" })
    headers.append("set-cookie", "a=1")
    headers.append("set-cookie", "b=2")
    const response = web(page("Title", html``, { headers, status: 403 }))
    assert.deepStrictEqual(response.headers.getSetCookie(), ["a=1", "b=2"])
    assert.notInclude(response.headers.get("content-security-policy"), "*")
    assert.strictEqual(response.headers.get("content-type"), "text/html; charset=utf-8")
    assert.strictEqual(response.status, 403)
  })

  it("escapes a title and a text", async () => {
    const text = await web(errorPage(400, "<b>title", "<i>text", "REF<ERENCE")).text()
    for (const markup of ["<b>", "<i>", "REF<"]) assert.notInclude(text, markup)
    assert.include(text, "Reference: <code>REF&lt;ERENCE</code>")
    assert.notInclude(await web(errorPage(404, "t", "t")).text(), "Reference")
  })

  it("redirects with the cookies of the step before, uncached", () => {
    const headers = new Headers()
    headers.append("set-cookie", "a=1")
    headers.append("set-cookie", "b=2")
    const response = HttpServerResponse.toWeb(redirect("https://client.example/callback?code=c", headers))
    assert.strictEqual(response.status, 302)
    assert.strictEqual(response.headers.get("location"), "https://client.example/callback?code=c")
    assert.deepStrictEqual(response.headers.getSetCookie(), ["a=1", "b=2"])
    assert.strictEqual(response.headers.get("cache-control"), "no-store")
    assert.isFalse(headers.has("location"))
  })
})
