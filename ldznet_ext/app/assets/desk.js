// The page's scripts come together here: what the server tells is shown, what a person does is asked for.

import { $, address, element, now, post, says, send, sendAll } from "./wire.js"
import * as controls from "./controls.js"
import * as hand from "./hand.js"
import * as keys from "./keys.js"
import * as stage from "./stage.js"
import * as waiting from "./waiting.js"

let begun = false
let looked = false // the parts are shown because there was nothing else to show

// Before a Gradio button asks the model.
function asking(...values) {
  waiting.begin()
  return values
}

// After anything was asked: everything that is shown follows from this one answer. waited: the page waited for it; what a quick
// hand does meanwhile ends no wait.
async function told(answer, waited = true) {
  if (!answer) return
  if (waited && !answer.busy) waiting.end()
  if (answer.handle === now.handle && answer.revision < now.revision) return hear(post("show")) // a newer answer overtook it
  const before = { ...now }
  Object.assign(now, { preparing: false }, answer)
  if (!begun) begin()
  document.body.classList.toggle("ldz-answered", now.answered)
  controls.fill(now.settings)
  type("ldz-words", now.words)
  type("ldz-prompt", now.prompt)
  parts()
  say(now.message)
  history()
  files()
  $("ldz-model").querySelector("span").textContent = now.model || says.noModel
  enable("undo", now.at > 0)
  enable("redo", now.at + 1 < now.history.length)
  enable("compare", now.before)
  enable("clear", now.drawn)
  try { await stage.show(now, before) } catch (error) { wrong(error, waited) }
  document.body.dataset.revision = now.revision
  if (now.parts.length && !now.answered && stage.view.name === "overlay") { stage.choose("regions"); looked = true }
  else if (now.answered && looked) { stage.choose("overlay"); looked = false }
  if (answer.preparing) hear(post("begin"), true)
}

// What one of our own routes answers. long: the page waits for it.
function hear(promise, long = false) {
  if (long) waiting.begin()
  promise.then(answer => told(answer, long)).catch(error => wrong(error, long))
}

function begin() {
  begun = true
  waiting.start(wrong)
  controls.start(hear)
  hand.start(hear)
  keys.start(actions)
  document.addEventListener("click", event => {
    if (event.target.closest("#ldz-naming .label-wrap")) setTimeout(() => type("ldz-prompt", now.prompt), 60)
    const button = event.target.closest("[data-do], [data-view], [data-tool]")
    if (!button) return
    if (button.dataset.do) actions[button.dataset.do]?.()
    else if (button.dataset.tool && button.tagName === "BUTTON") hand.take(button.dataset.tool)
    else if (button.dataset.view && button.tagName === "BUTTON") stage.choose(button.dataset.view)
  })
  $("ldz-model").addEventListener("click", () => open("ldz-models"))
  document.addEventListener("change", event => {
    const { id, files } = event.target
    if (id === "ldz-file") take(files[0])
    else if (id === "ldz-files" && files.length) hear(sendAll([...files]), true)
    else return
    event.target.value = ""
  })
  $("ldz-pattern").addEventListener("input", files)
  $("ldz-recipe").addEventListener("toggle", recipe)
  dropping()
  new ResizeObserver(() => stage.draw()).observe($("ldz-inner"))
  dark(remembered())
  if (sessionStorage.getItem("ldznet-gone")) now.message = `<div class="ldznet-message"><p>${says.gone}</p></div>`
  sessionStorage.removeItem("ldznet-gone")
}

const actions = {
  undo: () => now.at > 0 && hear(post("go", { by: -1 })),
  redo: () => now.at + 1 < now.history.length && hear(post("go", { by: 1 })),
  clear: () => now.drawn && hear(post("clear")),
  compare: () => stage.compare($("ldz-before").hidden),
  open: () => $("ldz-file").click(),
  alike: () => hear(post("like"), true),
  alikeIn: () => $("ldz-files").click(),
  cancel: () => waiting.busy() && waiting.cancel(),
  theme: () => dark(!document.body.classList.contains("dark"), true),
  help: () => $("ldz-keys").showModal(),
  copy,
  invert: () => controls.toggle("invert"),
  save: () => now.answered && document.querySelector('[data-save="mask"]').click(),
  words: () => { const field = $("ldz-words").querySelector("textarea, input"); field.focus(); field.select() },
  view: name => stage.choose(name),
  tool: name => hand.take(name),
  widen: by => hand.widen(by),
  hold: on => { stage.view.held = on; stage.draw() },
  brush: () => { $("ldz-snap").checked = true; hand.take("add") },
  example: () => hand.take("example"),
  model: () => open("ldz-models"),
}

function take(file) {
  if (!file) return
  hear(send(file), true)
}

function dropping() {
  const frame = $("ldz-frame")
  let depth = 0
  const over = on => frame.classList.toggle("ldz-over-it", on)
  document.addEventListener("dragenter", event => { event.preventDefault(); depth++; over(true) })
  document.addEventListener("dragleave", () => { depth--; if (depth <= 0) over(false) })
  document.addEventListener("dragover", event => event.preventDefault())
  document.addEventListener("drop", event => {
    event.preventDefault()
    depth = 0
    over(false)
    const files = [...event.dataTransfer.files]
    take(files.find(file => file.type.startsWith("image/")) ?? files[0]) // what is no picture is refused in a sentence
  })
  document.addEventListener("paste", event => {
    const file = [...event.clipboardData.files].find(each => each.type.startsWith("image/"))
    if (file) { event.preventDefault(); take(file) }
  })
}

// The boxes of words are Gradio's: they are told as if somebody had typed.
function type(id, text) {
  const field = $(id)?.querySelector("textarea, input")
  if (!field || document.activeElement === field || field.value === text) return
  field.value = text
  field.dispatchEvent(new Event("input", { bubbles: true }))
}

function parts() {
  const rows = now.parts.map(part => {
    const made = element("button", { type: "button", className: "ldz-part", title: part.status },
      element("i"), element("span", { textContent: part.text }),
      element("small", { textContent: part.there ? part.score.toFixed(2) : part.status }))
    made.style.setProperty("--colour", part.colour)
    made.classList.toggle("ldz-absent", !part.there)
    made.setAttribute("aria-pressed", part.text === now.chosen)
    made.addEventListener("click", () => hear(post("pick", { number: part.number })))
    made.addEventListener("pointerenter", () => stage.light(part.there ? part.number : 0))
    made.addEventListener("pointerleave", () => stage.light(0))
    return made
  })
  $("ldz-parts").replaceChildren(...rows)
}

function say(html) {
  const box = $("ldz-message")
  box.innerHTML = html
  if (!now.unfamiliar) return
  const offers = [["unfamiliarBrush", "brush"], ["unfamiliarExample", "example"], ["unfamiliarModel", "model"]]
  box.append(element("p", { className: "ldz-offers" }, says.unfamiliar, ...offers.map(([text, what]) => {
    const made = element("button", { type: "button", className: "ldz-button", textContent: says[text] })
    made.dataset.do = what
    return made
  })))
}

function wrong(error, waited = true) {
  const lost = error instanceof TypeError
  if (waited || lost) waiting.end()
  const made = element("p", { textContent: lost ? says.lost : error.message })
  $("ldz-message").replaceChildren(element("div", { className: "ldznet-message ldznet-complaint", role: "alert" }, made))
}

function history() {
  const list = $("ldz-history")
  list.replaceChildren(...now.history.map((label, at) => {
    const made = element("button", { type: "button", textContent: label })
    made.setAttribute("aria-current", at === now.at ? "step" : "false")
    made.addEventListener("click", () => hear(post("go", { to: at })))
    return element("li", {}, made)
  }))
  list.scrollLeft = list.scrollWidth
}

function files() {
  const pattern = $("ldz-pattern").value
  for (const link of document.querySelectorAll("[data-save]")) {
    link.href = address(`save/${link.dataset.save}`, { pattern })
    link.classList.toggle("ldz-off", !now.answered)
  }
  recipe()
}

async function recipe() {
  const box = $("ldz-recipe")
  if (!box.open || !now.answered) return
  const answer = await fetch(address("recipe.json"))
  box.querySelector("pre").textContent = answer.ok ? JSON.stringify(await answer.json(), null, 2) : ""
}

async function copy() {
  const text = $("ldz-recipe").querySelector("pre").textContent, label = $("ldz-recipe").querySelector("button span")
  try { await navigator.clipboard.writeText(text) } catch { return }
  label.textContent = says.copied
  setTimeout(() => { label.textContent = says.copy }, 1500)
}

function enable(name, on) {
  for (const each of document.querySelectorAll(`[data-do="${name}"]`)) each.disabled = !on
}

// Open one of the sections beside the stage and bring it into sight.
function open(id) {
  const section = $(id), head = section.querySelector(".label-wrap")
  if (head && !head.classList.contains("open")) head.click()
  section.scrollIntoView({ behavior: "smooth", block: "nearest" })
}

function dark(on, keep = false) {
  if (on === null) return
  document.body.classList.toggle("dark", on)
  if (keep) try { localStorage.setItem("ldznet-dark", on) } catch { /* a private window keeps nothing */ }
}

function remembered() {
  try { return { true: true, false: false }[localStorage.getItem("ldznet-dark")] ?? null } catch { return null }
}

window.ldz = { asking, told, now, busy: waiting.busy, timing: stage.timing }
if (window.ldzTold) told(window.ldzTold)
