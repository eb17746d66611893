// The stage: the picture, and over it one of its views. It draws what the server answers at the size of the screen.

import { $, address, bitmap, blob, now } from "./wire.js"
import * as tints from "./tints.js"

const MOST = 1_800_000 // pixels drawn at once: more than any screen shows of one picture
const kept = { mask: null, heat: null, parts: null, numbers: null }
export const view = { name: "overlay", lit: 0, held: false, compared: false }
export const timing = { drawn: 0 }
const newest = new WeakMap() // of each image the address that was asked for last
let asked = 0, drawing = 0

export async function show(told, before) {
  const mine = ++asked // what was only tried is over
  $("ldz-inner").style.setProperty("--ratio", told.size[1] / told.size[0])
  Object.assign(kept, { heat: null, parts: null })
  const same = before.handle === told.handle && before.pictured === told.pictured
  const picture = $("ldz-picture")
  const loaded = same ? Promise.resolve() : load(picture, address("picture.png"))
  const mask = bitmap(address("mask.png"))
  await loaded
  const fresh = await mask
  if (mine === asked || !kept.mask) kept.mask = fresh
  if (told.before) await load($("ldz-before").querySelector("img"), address("before.png"))
  // what was just repainted is shown beside what it was
  await compare(told.before && !same && before.at < told.at)
}

async function load(image, url) {
  newest.set(image, url)
  const next = new Image()
  next.src = URL.createObjectURL(await blob(url))
  await next.decode() // the old picture stays until the new one can be shown
  if (newest.get(image) !== url) return URL.revokeObjectURL(next.src)
  const old = image.src
  image.src = next.src
  if (old.startsWith("blob:")) URL.revokeObjectURL(old)
}

// The mask at settings that are only tried so far: while a slider is dragged.
export async function preview(cuts) {
  const mine = ++asked
  const fresh = await bitmap(address("mask.png", cuts))
  if (mine < asked) return
  kept.mask = fresh
  await draw()
}

export async function draw() {
  const canvas = $("ldz-over"), inner = $("ldz-inner")
  const box = inner.getBoundingClientRect()
  if (!box.width || !kept.mask) return
  const ratio = Math.min(Math.max(window.devicePixelRatio || 1, 1), 2, Math.sqrt(MOST / (box.width * box.height)))
  const width = Math.max(1, Math.round(box.width * ratio)), height = Math.max(1, Math.round(box.height * ratio))
  const name = view.held || view.compared ? "picture" : view.name
  const mine = ++drawing
  const image = await painted(name, width, height, ratio)
  if (mine < drawing) return
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
  const context = canvas.getContext("2d")
  context.clearRect(0, 0, width, height)
  if (image) context.putImageData(image, 0, 0)
  if (name === "cutout") {
    context.globalCompositeOperation = "source-in"
    context.drawImage($("ldz-picture"), 0, 0, width, height)
    context.globalCompositeOperation = "source-over"
  }
  inner.dataset.view = name
  timing.drawn = performance.now()
  $("ldz-frame").dataset.drawn = ++drawings
}
let drawings = 0

async function painted(name, width, height, ratio) {
  if (name === "overlay") return tints.overlay(kept.mask, width, height, ratio > 1.4 ? 2 : 1)
  if (name === "mask") return tints.plain(kept.mask, width, height)
  if (name === "cutout") return tints.alpha(kept.mask, width, height)
  if (name === "heat") return tints.heat(await (kept.heat ??= bitmap(address("heat.png"))), width, height)
  if (name === "regions") return tints.parts(await parts(), width, height, colours(), view.lit)
  return null
}

function parts() {
  return kept.parts ??= bitmap(address("parts.png")) // the promise is kept: an old answer cannot take a new one's place
}

const colours = () => Object.fromEntries(now.parts.filter(part => part.there).map(part => [part.number, tints.rgb(part.colour)]))

// Which of the prompt's things is at a place of the picture; 0 for none.
export async function partAt(x, y) {
  const picture = await parts()
  if (kept.numbers?.of !== picture) kept.numbers = { of: picture, levels: tints.numbers(picture) }
  const scale = picture.width / now.size[1] // it is shown smaller than it is, where it is large
  return kept.numbers.levels[Math.floor(y * scale) * picture.width + Math.floor(x * scale)] || 0
}

export function choose(name) {
  view.name = name
  view.compared = false
  $("ldz-before").hidden = true
  for (const each of document.querySelectorAll("[data-view]")) {
    if (each.tagName === "BUTTON") each.setAttribute("aria-checked", each.dataset.view === name)
  }
  return draw()
}

// Point at one of the prompt's things: it is lit while the pointer is there.
export function light(number) {
  if (view.lit === number) return
  view.lit = number
  if (view.name === "regions") draw()
}

export function compare(on) {
  const before = $("ldz-before")
  view.compared = Boolean(on && now.before)
  before.hidden = !view.compared
  before.style.setProperty("--at", "50%")
  return draw()
}

// From a place on the screen to (x, y) of the picture, and how many of its pixels one of the screen's is.
export function place(event) {
  const box = $("ldz-over").getBoundingClientRect(), [height, width] = now.size
  return {
    x: (event.clientX - box.left) / box.width * width,
    y: (event.clientY - box.top) / box.height * height,
    scale: width / box.width,
  }
}
