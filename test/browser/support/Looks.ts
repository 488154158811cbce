import type { Page } from "playwright-core"

/** A piece of text on a page, and how well it stands out from what is behind it (WCAG 2.2, section 1.4.3). */
export interface Contrast {
  readonly text: string
  readonly ratio: number
}

// These run in the page, whose types this program does not know: it is checked against the platform of Workers.

const contrastsInPage = `(() => {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true })
  const rgba = (color) => {
    probe.clearRect(0, 0, 1, 1)
    probe.fillStyle = color
    probe.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = probe.getImageData(0, 0, 1, 1).data
    return [r, g, b, a / 255]
  }
  const over = ([r, g, b, a], back) => [r, g, b].map((value, index) => value * a + back[index] * (1 - a))
  const luminance = (color) => {
    const [r, g, b] = color.map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const chain = (element) => (element === null ? [] : [...chain(element.parentElement), element])
  const canvas = document.createElement("i")
  canvas.style.color = "Canvas"
  document.body.append(canvas)
  const paper = rgba(getComputedStyle(canvas).color).slice(0, 3)
  canvas.remove()
  const found = []
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement
    const text = texts.currentNode.data.trim()
    if (text === "" || !element.checkVisibility()) continue
    const styles = chain(element).map((one) => getComputedStyle(one))
    const back = styles.reduce((below, style) => over(rgba(style.backgroundColor), below), paper)
    const opacity = styles.reduce((product, style) => product * Number(style.opacity), 1)
    const [r, g, b, a] = rgba(getComputedStyle(element).color)
    const [light, dark] = [luminance(over([r, g, b, a * opacity], back)), luminance(back)].sort((x, y) => y - x)
    found.push({ text: text.slice(0, 60), ratio: (light + 0.05) / (dark + 0.05) })
  }
  return found
})()`

/** Every visible text of the page. */
export const contrasts = (page: Page): Promise<ReadonlyArray<Contrast>> =>
  page.evaluate<ReadonlyArray<Contrast>>(contrastsInPage)

/** How much wider than the window the page is, in CSS pixels. */
export const overhang = (page: Page): Promise<number> =>
  page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth")

/** Controls that a pointer or a finger can hit, with their size in CSS pixels. */
export const targets = async (
  page: Page
): Promise<ReadonlyArray<{ readonly name: string; readonly height: number }>> => {
  const controls = await page.locator("button, label:has(input)").filter({ visible: true }).all()
  return Promise.all(
    controls.map(async (control) => ({
      name: (await control.innerText()).trim(),
      height: (await control.boundingBox())?.height ?? 0
    }))
  )
}

/** A computed style of the first element that the selector finds. */
export const styleOf = (page: Page, selector: string, property: string): Promise<string> =>
  page.evaluate<string>(
    `getComputedStyle(document.querySelector(${JSON.stringify(selector)})).getPropertyValue(${JSON.stringify(property)})`
  )
