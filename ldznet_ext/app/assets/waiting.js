// While the model works: how far it is, in words, and a way to stop it.

import { $, now, post, says } from "./wire.js"

let since = 0, timer = 0, missed = 0
let lost = () => {}

export function start(wrong) {
  lost = wrong
}

export function begin() {
  since = performance.now()
  missed = 0
  document.body.dataset.busy = "yes"
  clearTimeout(timer)
  timer = setTimeout(look, 180)
}

export function end() {
  clearTimeout(timer)
  timer = 0
  delete document.body.dataset.busy
  $("ldz-wait").hidden = true
  return performance.now() - since
}

export const busy = () => "busy" in document.body.dataset

export const cancel = () => post("cancel").catch(() => {})

async function look() {
  try {
    const { busy, done, what } = await (await fetch(`app/${now.handle}/progress`)).json()
    if (!timer) return
    missed = 0
    const box = $("ldz-wait")
    box.hidden = false
    box.querySelector("i").style.width = `${Math.max(done, .02) * 100}%`
    box.querySelector("span").textContent = busy && what ? what : says.working
  } catch (error) {
    if (timer && ++missed === 4) return lost(error) // Gradio's own wait would go on for ever
  }
  if (timer) timer = setTimeout(look, 250)
}
