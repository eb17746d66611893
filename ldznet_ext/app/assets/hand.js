// What a hand does on the stage: choose pieces and parts, draw, erase, show an example, compare.

import { $, now, post } from "./wire.js"
import * as stage from "./stage.js"

export const tool = { name: "pick" }
let line = null
let hear = () => {}

export function start(told) {
  hear = told
  const over = $("ldz-over")
  over.addEventListener("pointerdown", down)
  over.addEventListener("pointermove", move)
  over.addEventListener("pointerup", up)
  over.addEventListener("pointercancel", () => { line = null; stage.draw() })
  over.addEventListener("pointerleave", () => { $("ldz-cursor").hidden = true; stage.light(0) })
  const before = $("ldz-before")
  const slide = event => {
    const box = before.getBoundingClientRect()
    const at = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1)
    before.style.setProperty("--at", `${at * 100}%`)
  }
  before.addEventListener("pointerdown", event => { before.setPointerCapture(event.pointerId); slide(event) })
  before.addEventListener("pointermove", event => { if (before.hasPointerCapture(event.pointerId)) slide(event) })
}

export function take(name) {
  tool.name = name
  for (const each of document.querySelectorAll("[data-tool]")) each.setAttribute("aria-checked", each.dataset.tool === name)
  $("ldz-inner").dataset.tool = name
  if (drawing() && stage.view.name !== "overlay") stage.choose("overlay")
  $("ldz-cursor").hidden = true
}

export function widen(by) {
  const brush = $("ldz-brush")
  brush.value = Number(brush.value) * by + (by > 1 ? 1 : -1)
}

const drawing = () => tool.name === "add" || tool.name === "erase"
const radius = () => Number($("ldz-brush").value)

function down(event) {
  if (event.button || !now.handle) return
  $("ldz-over").setPointerCapture(event.pointerId)
  const at = stage.place(event)
  line = { points: [[at.x, at.y]], from: [event.clientX, event.clientY], scale: at.scale }
  if (drawing()) trace([event.clientX, event.clientY], [event.clientX, event.clientY])
}

function move(event) {
  cursor(event)
  if (!line) {
    if (stage.view.name === "regions" && tool.name === "pick") hover(event)
    return
  }
  if (!drawing()) return
  for (const each of event.getCoalescedEvents?.() ?? [event]) {
    const at = stage.place(each)
    line.points.push([at.x, at.y])
  }
  trace(line.last ?? line.from, [event.clientX, event.clientY])
}

async function up(event) {
  if (!line) return
  const done = line, at = stage.place(event)
  line = null
  if (drawing()) {
    const given = { points: thinned(done.points), radius: radius() * done.scale, erase: tool.name === "erase", snap: $("ldz-snap").checked }
    hear(post("stroke", given))
  } else if (tool.name === "example") {
    hear(post("like", { place: [at.x, at.y] }), true)
  } else if (stage.view.name === "regions") {
    const number = await stage.partAt(at.x, at.y)
    if (number) hear(post("pick", { number }).then(told => { stage.choose("overlay"); return told }))
  } else {
    hear(post("point", { x: at.x, y: at.y, alone: event.shiftKey }))
  }
}

async function hover(event) {
  const at = stage.place(event)
  stage.light(await stage.partAt(at.x, at.y))
}

// A stroke as it is drawn, before the server has joined it with the mask.
function trace(from, to) {
  const canvas = $("ldz-over"), box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width
  const context = canvas.getContext("2d")
  context.save()
  context.globalCompositeOperation = tool.name === "erase" ? "destination-out" : "source-over"
  context.strokeStyle = "rgb(255 48 150 / .5)"
  context.lineCap = context.lineJoin = "round"
  context.lineWidth = 2 * radius() * ratio
  context.beginPath()
  context.moveTo((from[0] - box.left) * ratio, (from[1] - box.top) * ratio)
  context.lineTo((to[0] - box.left) * ratio + .01, (to[1] - box.top) * ratio)
  context.stroke()
  context.restore()
  line.last = to
}

function cursor(event) {
  const ring = $("ldz-cursor"), box = $("ldz-inner").getBoundingClientRect()
  ring.hidden = !drawing()
  if (ring.hidden) return
  const size = 2 * radius()
  Object.assign(ring.style, {
    width: `${size}px`, height: `${size}px`,
    left: `${event.clientX - box.left - radius()}px`, top: `${event.clientY - box.top - radius()}px`,
  })
}

// At most a thousand points: a slow hand leaves many on one place.
function thinned(points) {
  const every = Math.ceil(points.length / 1000)
  return points.filter((_, at) => at % every === 0 || at === points.length - 1)
}
