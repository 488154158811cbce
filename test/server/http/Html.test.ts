import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"

import { Html, html } from "../../../src/server/http/Html.ts"

const unescape = (markup: string) =>
  markup
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&")

/** Texts made of what matters in markup, so that few runs meet every combination. */
const Hostile = Schema.Array(
  Schema.Literals([
    "<",
    ">",
    '"',
    "'",
    "&",
    "&lt;",
    "</p>",
    "<script>",
    "$",
    "{x}",
    " ",
    "a",
    "é",
    "\u2028",
    "\0",
    "😀"
  ])
)

describe("html", () => {
  it.prop(
    "lets no text out of its place, in an element or in an attribute",
    [Hostile, Schema.String],
    ([parts, any]) => {
      for (const text of [parts.join(""), any]) {
        const { markup } = html`<p title="${text}">${text}</p>`
        const escaped = markup.slice('<p title="'.length, markup.indexOf('">'))
        assert.strictEqual(markup, `<p title="${escaped}">${escaped}</p>`)
        assert.notMatch(escaped, /[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/u)
        assert.strictEqual(unescape(escaped), text)
      }
    }
  )

  it.prop("escapes text once, however deep it stands", [Hostile], ([parts]) => {
    const text = parts.join("")
    const once = html`${text}`.markup
    assert.strictEqual(html`${html`${html`${text}`}`}`.markup, once)
    assert.strictEqual(html`${[html`${text}`, html`${text}`]}`.markup, once + once)
  })

  it("takes a look-alike for no markup", () => {
    const lookAlike = JSON.parse('[{"markup":"<script>"}]') as ReadonlyArray<Html>
    assert.throws(() => html`${lookAlike}`)
  })

  it("writes numbers, empty texts and empty lists", () => {
    assert.strictEqual(html`a${0}b${""}c${[]}d`.markup, "a0bcd")
    assert.strictEqual(html`${new Html("<b>")}`.markup, "<b>")
  })
})
