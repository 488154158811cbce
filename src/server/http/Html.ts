/** Markup that is safe to send. Only `html` makes it, so text cannot pass for markup. */
export class Html {
  readonly markup: string
  constructor(markup: string) {
    this.markup = markup
  }
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const render = (value: Html | string | number | ReadonlyArray<Html>): string => {
  if (value instanceof Html) return value.markup
  if (typeof value === "object") return value.map(render).join("")
  return String(value).replace(/[&<>"']/gu, (character) => entities[character] ?? "")
}

/** A template whose texts are escaped for element content and quoted attributes. Attributes have to be quoted. */
export const html = (
  strings: TemplateStringsArray,
  ...values: ReadonlyArray<Html | string | number | ReadonlyArray<Html>>
): Html =>
  new Html(strings.map((text, index) => text + (index < values.length ? render(values[index] ?? "") : "")).join(""))
