import { crc32, deflateSync } from "node:zlib"

const size = 256
/** A row: the filter byte, then three bytes for each pixel (PNG, section 7.2). */
const rowLength = 1 + size * 3

/** One chunk: length, type, data, and the CRC of the latter two (PNG, section 5.3). */
const chunk = (type: string, data: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(data.length + 12)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, data.length)
  bytes.set(new TextEncoder().encode(type), 4)
  bytes.set(data, 8)
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)))
  return bytes
}

const signature = [137, 80, 78, 71, 13, 10, 26, 10]
/** Width, height, 8 bits a sample, truecolour, no interlacing (PNG, section 11.2.1). */
const header = new Uint8Array([0, 0, size >> 8, size & 255, 0, 0, size >> 8, size & 255, 8, 2, 0, 0, 0])

/** A PNG of rows that are not filtered (Portable Network Graphics, third edition). */
const png = (rows: Uint8Array): Uint8Array =>
  new Uint8Array([
    ...signature,
    ...chunk("IHDR", header),
    ...chunk("IDAT", deflateSync(rows)),
    ...chunk("IEND", new Uint8Array())
  ])

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
  const rows = new Uint8Array(size * rowLength)
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
      rows.set([red, green, blue], y * rowLength + 1 + x * 3)
    }
  }
  return png(rows)
}
