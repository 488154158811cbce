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
  readonly footer: Html
}

/** The brand of a server's pages. Without one they say nothing beside their own words. */
export const PageBrand = Context.Reference<BrandMarkup>("http/PageBrand", {
  defaultValue: () => ({ style: html``, styleHash: undefined, hasImage: false, header: html``, footer: html`` })
})

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

const variables = (accent: Rgb): string => {
  const onAccent = contrast(accent, white) >= contrast(accent, black) ? white : black
  return `:root { --accent: ${hexOf(accent)}; --on-accent: ${hexOf(onAccent)} }`
}

/** The colours of a brand in light and in dark mode, each as readable as text has to be. */
export const colours = (accent: string, accentDark: string = accent): string => {
  const light = variables(told(rgbOf(accent), white, black))
  const dark = variables(told(rgbOf(accentDark), [0x1e, 0x1e, 0x1e], white))
  return `${light} @media (prefers-color-scheme: dark) { ${dark} }`
}

const help = (support: string): Html => {
  const href = support.startsWith("https:") ? support : `mailto:${support}`
  return html`<footer>
    <small>Do you need help? <a href="${href}">${support}</a></small>
  </footer>`
}

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
        footer: support === undefined ? html`` : help(support)
      }
    })
  ).pipe(Layer.provide(Digest.layerWebCrypto))
