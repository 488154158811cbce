import { encode } from "fast-png"

const size = 256

/**
 * A PNG of overlapping discs on a gradient, 256 by 256 pixels. `seed` (32 bytes) decides colours and places, `steps`
 * how many discs there are.
 */
export const paint = (seed: Uint8Array, steps: number): Uint8Array => {
  const value = (index: number) => seed[index % seed.length] ?? 0
  const discs = Array.from({ length: steps }, (_, index) => ({
    x: value(index * 3),
    y: value(index * 3 + 1),
    radius: 24 + value(index * 3 + 2) / 4,
    colour: [value(index + 5), value(index + 11), value(index + 17)] as const
  }))
  const data = new Uint8Array(size * size * 3)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let red = (value(0) + x) / 2
      let green = (value(1) + y) / 2
      let blue = (value(2) + (x + y) / 2) / 2
      for (const disc of discs) {
        if ((x - disc.x) ** 2 + (y - disc.y) ** 2 > disc.radius ** 2) continue
        red = (red + disc.colour[0]) / 2
        green = (green + disc.colour[1]) / 2
        blue = (blue + disc.colour[2]) / 2
      }
      data.set([red, green, blue], (y * size + x) * 3)
    }
  }
  return encode({ width: size, height: size, channels: 3, depth: 8, data })
}
