// From the grey pictures that the server draws to what is laid over the picture: only colours are chosen here, never shapes.
// A pixel is one number of 32 bits, read and written whole: a slider is to be followed within a tenth of a second.

const LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 // the order of bytes in a number, on nearly every machine
const colour = (red, green, blue, opacity) =>
  (LITTLE ? (opacity << 24) | (blue << 16) | (green << 8) | red : (red << 24) | (green << 16) | (blue << 8) | opacity) >>> 0
const table = make => Uint32Array.from({ length: 256 }, (_, level) => colour(...make(level)))

const WHITE = colour(255, 255, 255, 245), DARK = colour(24, 8, 20, 170), BORDER = colour(255, 255, 255, 230)
const TINT = table(level => [255, 48, 150, Math.round(level * 0.45)])
const WHOLE = table(level => [0, 0, 0, level])
const STOPS = ["#0b0724", "#43116a", "#a02a6c", "#e8553f", "#fba636", "#fcfdbf"]
const HEAT = table(level => {
  const place = level / 255 * (STOPS.length - 1), low = Math.min(Math.floor(place), STOPS.length - 2)
  const [from, to] = [rgb(STOPS[low]), rgb(STOPS[low + 1])]
  return [...from.map((value, channel) => Math.round(value + (to[channel] - value) * (place - low))), 150 + Math.round(level * 0.32)]
})

export function rgb(code) {
  return [1, 3, 5].map(at => parseInt(code.slice(at, at + 2), 16))
}

// A tint inside, and round it a white line with a dark one outside, readable on any ground.
export function overlay(bitmap, width, height, thick = 1) {
  const { image, pixels, levels } = grey(bitmap, width, height)
  const inside = new Uint8Array(pixels.length)
  for (let at = 0; at < pixels.length; at++) {
    inside[at] = levels[at] >> 7
    pixels[at] = TINT[levels[at]]
  }
  for (let step = 1; step <= thick; step++) line(pixels, inside, width, height, step)
  return image
}

// Both sides of every border between inside and outside that lies within so many pixels to the right or below.
function line(pixels, inside, width, height, step) {
  const mark = (one, other) => {
    pixels[one] = inside[one] ? WHITE : DARK
    pixels[other] = inside[other] ? WHITE : DARK
  }
  for (let y = 0; y < height; y++) {
    for (let at = y * width, end = at + width - step; at < end; at++) if (inside[at] !== inside[at + step]) mark(at, at + step)
  }
  for (let at = 0, down = step * width, end = pixels.length - down; at < end; at++) {
    if (inside[at] !== inside[at + down]) mark(at, at + down)
  }
}

// White where the mask is, as it is saved.
export function plain(bitmap, width, height) {
  return grey(bitmap, width, height).image
}

// The mask as transparency, to cut the picture out with.
export function alpha(bitmap, width, height) {
  return through(bitmap, width, height, WHOLE)
}

// Dark where the words are surely not, bright where they surely are.
export function heat(bitmap, width, height) {
  return through(bitmap, width, height, HEAT)
}

// Each of the prompt's things in its own colour; the one that is pointed at stands out.
export function parts(bitmap, width, height, colours, lit) {
  const { image, pixels, levels } = grey(bitmap, width, height, false)
  const tints = table(number => {
    if (!colours[number]) return [0, 0, 0, lit ? 90 : 0]
    return [...colours[number], number === lit ? 165 : lit ? 60 : 115]
  })
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const number = levels[at]
      const border = (x + 1 < width && levels[at + 1] !== number) || (y + 1 < height && levels[at + width] !== number)
      pixels[at] = border ? BORDER : tints[number]
    }
  }
  return image
}

export function numbers(bitmap) {
  return grey(bitmap, bitmap.width, bitmap.height, false).levels
}

function through(bitmap, width, height, colours) {
  const { image, pixels, levels } = grey(bitmap, width, height)
  for (let at = 0; at < pixels.length; at++) pixels[at] = colours[levels[at]]
  return image
}

// A grey picture at another size: its image to be written to, that image's pixels, and the levels (0 to 255) that were in it.
function grey(bitmap, width, height, smooth = true) {
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext("2d", { willReadFrequently: true })
  context.imageSmoothingEnabled = smooth
  context.drawImage(bitmap, 0, 0, width, height)
  const image = context.getImageData(0, 0, width, height)
  const pixels = new Uint32Array(image.data.buffer), levels = new Uint8Array(pixels.length)
  for (let at = 0, from = 0; at < levels.length; at++, from += 4) levels[at] = image.data[from]
  return { image, pixels, levels }
}
