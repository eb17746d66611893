// The settings of the mask: each acts while it is moved, and is one step of the history once it is let go. Presets.

import { $, element, post, says } from "./wire.js"
import * as stage from "./stage.js"

const OWN = "ldznet-presets"
let hear = () => {}
let quiet = false

const all = () => document.querySelectorAll("[data-option]")
const acts = box => !box.closest("#ldz-how")

export function start(told) {
  hear = told
  const box = event => event.target.closest?.("[data-option]")
  document.addEventListener("input", event => box(event) && moved(box(event), event.target))
  document.addEventListener("change", event => box(event) && settled(box(event)))
  document.addEventListener("click", event => {
    if (event.target.matches("[data-auto]")) { set(box(event), Number(box(event).dataset.unset)); settled(box(event)) }
  })
  document.addEventListener("submit", event => { if (event.target.id === "ldz-keeping") keep(event) })
  presets()
}

// What the work's settings are, put into the controls.
export function fill(settings) {
  quiet = true
  for (const box of all()) if (box.dataset.option in settings) set(box, settings[box.dataset.option])
  quiet = false
}

export function value(box) {
  const field = box.querySelector("input, select")
  if (field.type === "checkbox") return field.checked
  if (field.tagName === "SELECT") return field.value
  return Number((box.querySelector("input[type=number]") ?? field).value)
}

export function toggle(name) {
  const box = document.querySelector(`[data-option="${name}"]`)
  set(box, !value(box))
  settled(box)
}

function set(box, value) {
  for (const field of box.querySelectorAll("input, select")) {
    if (field.type === "checkbox") field.checked = value
    else field.value = value
  }
  dress(box)
}

function dress(box) {
  const range = box.querySelector("input[type=range]")
  if (range) {
    // filled between nothing and the value: where less than nothing can be asked, from the middle
    const part = value => Math.min(Math.max((value - range.min) / (range.max - range.min), 0), 1)
    const [from, to] = [part(0), part(Number(range.value))].sort((a, b) => a - b)
    range.style.setProperty("--from", `${from * 100}%`)
    range.style.setProperty("--part", `${to * 100}%`)
  }
  const unset = "unset" in box.dataset && value(box) === Number(box.dataset.unset)
  box.classList.toggle("ldz-unset", unset)
  box.querySelector("[data-auto]")?.setAttribute("aria-pressed", unset)
}

// One request at a time, the newest values always last: a slow machine falls behind by one picture, never by ten.
let busy = false, wanted = null
async function moved(box, field) {
  for (const other of box.querySelectorAll("input")) if (other !== field && field.type !== "checkbox") other.value = field.value
  dress(box)
  if (quiet || !acts(box)) return
  wanted = { [box.dataset.option]: value(box) }
  if (busy) return
  busy = true
  try {
    while (wanted) {
      const now = wanted
      wanted = null
      await stage.preview(now)
    }
  } catch { /* out of range while it is typed: the answer to the change says so */ }
  busy = false
}

function settled(box) {
  if (!quiet) hear(post("cut", { cuts: { [box.dataset.option]: value(box) } }))
}

function presets() {
  const box = $("ldz-presets"), own = mine()
  const fresh = element("button", { type: "button", className: "ldz-chip-button ldz-new", textContent: "+", title: says.presetNew, ariaLabel: says.presetNew })
  fresh.addEventListener("click", () => { $("ldz-keeping").hidden = !$("ldz-keeping").hidden; $("ldz-keeping").querySelector("input").focus() })
  box.replaceChildren(
    ...Object.entries(says.presets).map(([name, values]) => chip(name, values)),
    ...Object.entries(own).map(([name, values]) => chip(name, values, true)),
    fresh,
  )
}

function chip(name, values, own = false) {
  const made = element("button", { type: "button", className: "ldz-chip-button", textContent: name })
  made.addEventListener("click", () => hear(post("cut", { cuts: { ...says.defaults, ...values } })))
  if (own) {
    made.title = says.presetDrop
    made.addEventListener("contextmenu", event => { event.preventDefault(); forget(name) })
    made.addEventListener("keydown", event => { if (event.key === "Delete") forget(name) })
  }
  return made
}

function keep(event) {
  event.preventDefault()
  const field = event.target.querySelector("input"), name = field.value.trim()
  if (!name) return field.focus()
  const values = {}
  for (const box of all()) if (acts(box)) values[box.dataset.option] = value(box)
  write({ ...mine(), [name]: values })
  field.value = ""
  $("ldz-keeping").hidden = true
}

function forget(name) {
  const { [name]: _, ...rest } = mine()
  write(rest)
}

function mine() {
  try { return JSON.parse(localStorage.getItem(OWN)) ?? {} } catch { return {} }
}

function write(values) {
  try { localStorage.setItem(OWN, JSON.stringify(values)) } catch { /* a private window keeps nothing */ }
  presets()
}
