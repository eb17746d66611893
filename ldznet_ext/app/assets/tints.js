// From the grey pictures that the server draws to what is laid over the picture: only colours are chosen here, never shapes.

const TINT = [255, 48, 150]

function grey(bitmap, width, height, smooth = true) {
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext("2d", { willReadFrequently: true })
  context.imageSmoothingEnabled = smooth
  context.imageSmoothingQuality = "high"
  context.drawImage(bitmap, 0, 0, width, height)
  return context.getImageData(0, 0, width, height)
}

// A tint inside, and round it a white line with a dark one outside, readable on any ground.
export function overlay(bitmap, width, height, thick = 1) {
  const image = grey(bitmap, width, height), data = image.data
  const mask = new Uint8Array(width * height)
  for (let at = 0, from = 0; at < mask.length; at++, from += 4) mask[at] = data[from]
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const value = mask[at], inside = value > 127, to = 4 * at
      let edge = false
      const left = x >= thick ? mask[at - thick] : value, right = x + thick < width ? mask[at + thick] : value
      const up = y >= thick ? mask[at - thick * width] : value, down = y + thick < height ? mask[at + thick * width] : value
      if (inside) edge = left <= 127 || right <= 127 || up <= 127 || down <= 127
      else edge = left > 127 || right > 127 || up > 127 || down > 127
      if (edge) {
        data[to] = inside ? 255 : 24; data[to + 1] = inside ? 255 : 8; data[to + 2] = inside ? 255 : 20
        data[to + 3] = inside ? 245 : 170
      } else {
        data[to] = TINT[0]; data[to + 1] = TINT[1]; data[to + 2] = TINT[2]
        data[to + 3] = value * 0.45
      }
    }
  }
  return image
}

// White where the mask is, as it is saved.
export function plain(bitmap, width, height) {
  return grey(bitmap, width, height)
}

// The mask as transparency, to cut the picture out with.
export function alpha(bitmap, width, height) {
  const image = grey(bitmap, width, height), data = image.data
  for (let at = 0; at < data.length; at += 4) data[at + 3] = data[at]
  return image
}

const HEAT = ["#0b0724", "#43116a", "#a02a6c", "#e8553f", "#fba636", "#fcfdbf"].map(code =>
  [1, 3, 5].map(at => parseInt(code.slice(at, at + 2), 16)))

// Dark where the words are surely not, bright where they surely are.
export function heat(bitmap, width, height) {
  const image = grey(bitmap, width, height), data = image.data
  const table = Array.from({ length: 256 }, (_, level) => {
    const place = level / 255 * (HEAT.length - 1), low = Math.min(Math.floor(place), HEAT.length - 2), part = place - low
    return HEAT[low].map((value, channel) => value + (HEAT[low + 1][channel] - value) * part)
  })
  for (let at = 0; at < data.length; at += 4) {
    const colour = table[data[at]]
    data[at + 3] = 150 + data[at] * 0.32
    data[at] = colour[0]; data[at + 1] = colour[1]; data[at + 2] = colour[2]
  }
  return image
}

// Each of the prompt's things in its own colour; the one that is pointed at stands out.
export function parts(bitmap, width, height, colours, lit) {
  const image = grey(bitmap, width, height, false), data = image.data
  const numbers = new Uint8Array(width * height)
  for (let at = 0, from = 0; at < numbers.length; at++, from += 4) numbers[at] = data[from]
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const number = numbers[at], to = 4 * at, colour = colours[number]
      const border = (x + 1 < width && numbers[at + 1] !== number) || (y + 1 < height && numbers[at + width] !== number)
      if (border) { data[to] = data[to + 1] = data[to + 2] = 255; data[to + 3] = 230 }
      else if (!colour) data[to + 3] = lit ? 90 : 0
      else {
        data[to] = colour[0]; data[to + 1] = colour[1]; data[to + 2] = colour[2]
        data[to + 3] = number === lit ? 165 : lit ? 60 : 115
      }
    }
  }
  return image
}

export function numbers(bitmap) {
  return grey(bitmap, bitmap.width, bitmap.height, false)
}

export const rgb = code => [1, 3, 5].map(at => parseInt(code.slice(at, at + 2), 16))
