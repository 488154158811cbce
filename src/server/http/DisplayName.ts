import { type Html, html } from "./Html.ts"

/** The most combining marks on one letter: as many as scripts need that write vowels and tones so. */
const stackedMarks = /(\p{M}{4})\p{M}+/gu

/**
 * A name that somebody else chose, as data in a box of its own, which no punctuation and no direction of writing closes:
 * on one line of spaces, without what is not seen, reorders text or piles up, and at most 80 characters long. `nothing`
 * stands for a name of which nothing is left.
 */
export const displayName = (name: string, nothing: string): Html => {
  const visible = name
    .normalize("NFC")
    .replace(/[\p{Cf}\p{Cs}\p{Co}\p{DI}\u2800]/gu, "")
    .replace(/[\s\p{Cc}]+/gu, " ")
    .replace(stackedMarks, "$1")
    .replace(/^[\s\p{M}]+/u, "")
  const characters = Array.from(visible.trimEnd())
  if (characters.length === 0) return html`${nothing}`
  const short = characters.length > 80 ? [...characters.slice(0, 79), "…"] : characters
  return html`<bdi class="name">${short.join("")}</bdi>`
}
