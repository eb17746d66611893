// Talking to the app's own routes, and the few helpers that all scripts share.

export const $ = id => document.getElementById(id)
export const says = window.ldzSays
export const now = { handle: "", revision: -1 }

export function address(name, query = {}) {
  const asked = new URLSearchParams({ v: now.revision, ...query })
  return `app/${now.handle}/${name}?${asked}`
}

const LONG = ["begin", "cancel", "like"] // the others are quick, and follow one another in the order in which they were done
let before = Promise.resolve()

export function post(what, given = {}) {
  const ask = async () => read(await fetch(`app/${now.handle}/do/${what}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given),
  }))
  return LONG.includes(what) ? ask() : before = before.then(ask, ask)
}

export async function send(file) {
  const named = encodeURIComponent(file.name || "pasted.png")
  return read(await fetch(`app/${now.handle}/open?name=${named}`, { method: "POST", body: file }))
}

export async function sendAll(files) {
  const form = new FormData()
  for (const file of files) form.append("files", file, file.name)
  return read(await fetch(`app/${now.handle}/like-in`, { method: "POST", body: form }))
}

async function read(answer) {
  return (await fine(answer)).json()
}

export async function blob(url) {
  return (await fine(await fetch(url))).blob()
}

export async function bitmap(url) {
  return createImageBitmap(await blob(url))
}

// An answer that is none of refusal.
async function fine(answer) {
  if (answer.status === 404) { // the work is no longer kept: begin anew, and say so
    sessionStorage.setItem("ldznet-gone", "yes")
    location.reload()
  }
  if (!answer.ok) throw new Error((await answer.json()).error)
  return answer
}

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}
