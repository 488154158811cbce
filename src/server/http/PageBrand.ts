import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"

import type { Brand } from "../config/ServerInfo.ts"
import { Html, html } from "./Html.ts"

/** What a brand adds to every page. */
export interface BrandMarkup {
  /** A style sheet of its own, after the pages' one, and its hash for the policy; none without a colour. */
  readonly style: Html
  readonly styleHash: string | undefined
  readonly hasImage: boolean
  readonly header: Html
  /** Where people get help. */
  readonly footer: Html
  /** The picture of the server, as a whole SVG document. */
  readonly icon: string
}

/** The brand of a server's pages. Without one they say nothing beside their own words. */
export const PageBrand = Context.Reference<BrandMarkup>("http/PageBrand", {
  defaultValue: () => ({
    style: html``,
    styleHash: undefined,
    hasImage: false,
    header: html``,
    footer: html``,
    icon: drawn("?", ownAccent)
  })
})

/** The accent of a server that has no colour of its own. */
const ownAccent = "#2457d6"

type Rgb = readonly [red: number, green: number, blue: number]

const rgbOf = (colour: string): Rgb => {
  const value = Number.parseInt(colour.slice(1), 16)
  return [(value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff]
}

const hexOf = (rgb: Rgb): string => `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`

/** Relative luminance (WCAG 2.2, definitions). */
const luminance = (rgb: Rgb): number => {
  const [red = 0, green = 0, blue = 0] = rgb
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

const contrast = (one: Rgb, other: Rgb): number => {
  const [high = 0, low = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a)
  return (high + 0.05) / (low + 0.05)
}

const white: Rgb = [255, 255, 255]
const black: Rgb = [0, 0, 0]

/** The colour, brought towards `target` as far as it takes to be told from `background` (WCAG 2.2, 1.4.3: 4.5 to 1). */
const told = (colour: Rgb, background: Rgb, target: Rgb): Rgb => {
  const mixed = ([0, 1, 2] as const).map((at) => colour[at] + (target[at] - colour[at]) * 0.1)
  const [red = 0, green = 0, blue = 0] = mixed
  return contrast(colour, background) >= 4.5 ? colour : told([red, green, blue], background, target)
}

/** White or black, whichever is easier to read on a colour. */
const onto = (colour: Rgb): Rgb => (contrast(colour, white) >= contrast(colour, black) ? white : black)

const variables = (accent: Rgb): string => `:root { --accent: ${hexOf(accent)}; --on-accent: ${hexOf(onto(accent))} }`

/** The colours of a brand in light and in dark mode, each as readable as text has to be. */
export const colours = (accent: string, accentDark: string = accent): string => {
  const light = variables(told(rgbOf(accent), white, black))
  const dark = variables(told(rgbOf(accentDark), [0x1e, 0x1e, 0x1e], white))
  return `${light} @media (prefers-color-scheme: dark) { ${dark} }`
}

const help = (name: string, support: string | undefined): Html =>
  html`<footer>
    <small
      >Do you need help?
      ${
        support === undefined
          ? `Ask the operator of ${name}.`
          : html`<a href="${support.startsWith("https:") ? support : `mailto:${support}`}">${support}</a>`
      }</small
    >
  </footer>`

const svg = (content: Html): string =>
  html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${content}</svg>`.markup

/** The first letter of a name, on a tile of a colour. */
const drawn = (name: string, colour: string): string =>
  svg(
    html`<rect width="32" height="32" rx="7" fill="${colour}" /><text
        x="16"
        y="23"
        font-family="system-ui,sans-serif"
        font-size="20"
        font-weight="700"
        text-anchor="middle"
        fill="${hexOf(onto(rgbOf(colour)))}"
      >
        ${Array.from(name.trim().toUpperCase()).at(0) ?? "?"}
      </text>`
  )

/** The brand of a server that people know as `title`. */
export const layer = (title: string, { name = title, accent, accentDark, logo, support }: Brand) =>
  Layer.effect(
    PageBrand,
    Effect.gen(function* () {
      const css = accent === undefined ? undefined : colours(accent, accentDark)
      const digest = yield* Digest.Digest
      const hash = (text: string) => Effect.orDie(digest.digest(Digest.sha256, new TextEncoder().encode(text)))
      return {
        style: css === undefined ? html`` : new Html(`<style>${css}</style>`),
        styleHash: css === undefined ? undefined : `sha256-${Base64.encode(yield* hash(css))}`,
        hasImage: logo !== undefined,
        header: html`<header>
          ${logo === undefined ? "" : html`<img src="${logo}" alt="" height="28" />`}
          <span>${name}</span>
        </header>`,
        footer: help(name, support),
        icon:
          logo === undefined
            ? drawn(name, accent ?? ownAccent)
            : svg(html`<image href="${logo}" width="32" height="32" />`)
      }
    })
  ).pipe(Layer.provide(Digest.layerWebCrypto))
