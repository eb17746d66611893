// Keyboard shortcuts: none of them acts while somebody types.

import { says } from "./wire.js"

export function start(actions) {
  const plain = {
    "/": actions.words, o: actions.open, s: actions.save, i: actions.invert, c: actions.compare, "?": actions.help,
    v: () => actions.tool("pick"), b: () => actions.tool("add"), e: () => actions.tool("erase"),
    "[": () => actions.widen(1 / 1.2), "]": () => actions.widen(1.2),
  }
  says.views.forEach((name, at) => { plain[at + 1] = () => actions.view(name) })
  document.addEventListener("keydown", event => {
    if (event.key === "Escape") { actions.cancel(); return }
    if (typing(event)) return
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault()
      return event.shiftKey ? actions.redo() : actions.undo()
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === " ") {
      if (event.target.closest("button, a, summary")) return
      event.preventDefault()
      if (!event.repeat) actions.hold(true)
      return
    }
    const act = plain[event.key.length === 1 ? event.key.toLowerCase() : event.key]
    if (act) { event.preventDefault(); act() }
  })
  document.addEventListener("keyup", event => { if (event.key === " " && !typing(event)) actions.hold(false) })
}

function typing(event) {
  const field = event.target.closest("input, textarea, select, [contenteditable]")
  return field && !["checkbox", "range", "radio", "button"].includes(field.type)
}
