import axe from "axe-core"
import type { Page } from "playwright-core"

/** What axe-core finds on a page that keeps people out: each rule that is broken, with where. */
export const barriers = async (page: Page): Promise<ReadonlyArray<string>> => {
  // Through the debugger: the page's own policy lets no script run.
  await page.evaluate(axe.source)
  return page.evaluate<ReadonlyArray<string>>(`axe.run(document).then(({ violations }) =>
    violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" | "))
  )`)
}

const walkInPage = `(() => {
  const seen = document.activeElement
  const style = getComputedStyle(seen)
  const { width, height } = seen.getBoundingClientRect()
  return {
    element: seen === document.body ? "" : seen.outerHTML.slice(0, 160),
    visible: width > 0 && height > 0 && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
  }
})()`

interface Stop {
  readonly element: string
  /** Whether the focus can be seen there. */
  readonly visible: boolean
}

/** Where the Tab key leads, from the top of a page to its end. */
export const tabStops = async (page: Page): Promise<ReadonlyArray<Stop>> => {
  const stops: Array<Stop> = []
  for (;;) {
    await page.keyboard.press("Tab")
    const stop = await page.evaluate<Stop>(walkInPage)
    if (stop.element === "" || stops.length > 200) return stops
    stops.push(stop)
  }
}

/** How many elements on a page somebody has to be able to reach. */
export const controls = (page: Page): Promise<number> =>
  page.locator("a[href], button:enabled, summary, select, input:enabled, [tabindex]").filter({ visible: true }).count()
