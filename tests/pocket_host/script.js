// The pocket host's side of the page: the functions extensions expect of a web UI, and no more.
// Written for this project; not A1111's script.js.

let opts = {};

function gradioApp() {
    const apps = document.getElementsByTagName("gradio-app");
    return (apps.length && apps[0].shadowRoot) || document;
}

function get_uiCurrentTabContent() {
    return gradioApp().querySelector('#tabs > .tabitem[id^=tab_]:not([style*="display: none"])');
}

function updateInput(target) {
    target.dispatchEvent(new Event("input", {bubbles: true}));
}

const pocket = {
    lists: {loaded: [], update: [], after: [], tab: [], options: []},
    started: false,
    timer: null,
    front: null,

    run(name, ...args) {
        for (const callback of pocket.lists[name]) {
            try {
                callback(...args);
            } catch (error) {
                console.error("error running callback", callback, error);
            }
        }
    },

    watch(records) {
        if (!pocket.started && gradioApp().querySelector("#txt2img_prompt")) {
            pocket.started = true;
            gradioApp().querySelectorAll(".input-accordion").forEach(pocket.tie);
            pocket.run("loaded");
        }
        pocket.run("update", records);
        const tab = gradioApp().querySelector("#tabs > .tab-nav > button.selected");
        if (tab && tab !== pocket.front) {
            pocket.front = tab;
            pocket.run("tab");
        }
        clearTimeout(pocket.timer);
        pocket.timer = setTimeout(() => pocket.run("after"), 200);
    },

    // An InputAccordion is open while its hidden tick is set.
    tie(accordion) {
        const label = accordion.querySelector(".label-wrap");
        const hidden = gradioApp().querySelector(`#${accordion.id}-checkbox input`);
        const extra = gradioApp().getElementById(`${accordion.id}-extra`);
        const shown = document.createElement("input");
        shown.type = "checkbox";
        shown.id = `${accordion.id}-visible-checkbox`;
        shown.className = `${hidden.className} input-accordion-checkbox`;
        shown.checked = hidden.checked;
        label.insertBefore(shown, label.firstChild);
        if (extra) label.insertBefore(extra, label.lastElementChild);
        const set = (on) => {
            shown.checked = hidden.checked = on;
            updateInput(hidden);
        };
        shown.addEventListener("click", (event) => event.stopPropagation());
        shown.addEventListener("input", () => {
            if (label.classList.contains("open") !== shown.checked) label.click();
            set(shown.checked);
        });
        new MutationObserver(() => {
            if (label.classList.contains("open") !== shown.checked) set(label.classList.contains("open"));
        }).observe(label, {attributes: true, attributeFilter: ["class"]});
    },

    accordion(id, on) {
        const label = gradioApp().querySelector(`#${id} .label-wrap`);
        if (label && label.classList.contains("open") !== on) label.click();
    },

    theme(name) {
        if (!location.search.includes("__theme=")) location.replace(`${location.pathname}?__theme=${name}`);
    },

    tab(id) {
        const items = Array.from(gradioApp().querySelectorAll("#tabs > .tabitem"));
        const index = items.findIndex((item) => item.id === `tab_${id}`);
        gradioApp().querySelectorAll("#tabs > .tab-nav > button")[index].click();
    },

    selected(id) {
        const buttons = Array.from(gradioApp().querySelectorAll(`#${id} > .tab-nav > button`));
        return Math.max(0, buttons.findIndex((button) => button.classList.contains("selected")));
    },

    // What a task is doing, under the gallery, until it is done.
    follow(task, tab) {
        const box = gradioApp().getElementById(`${tab}_gallery_container`);
        const bar = document.createElement("div");
        bar.className = "pocket-progress";
        bar.innerHTML = "<div></div>";
        box.prepend(bar);
        gradioApp().getElementById(`${tab}_interrupt`).style.display = "block";
        const stop = () => {
            bar.remove();
            gradioApp().getElementById(`${tab}_interrupt`).style.display = "none";
        };
        const ask = async () => {
            const answer = await fetch("internal/progress", {
                method: "POST",
                headers: {"Content-Type": "application/json"},
                body: JSON.stringify({id_task: task, id_live_preview: -1, live_preview: false}),
            });
            const told = await answer.json();
            bar.firstChild.style.width = `${Math.round(100 * (told.progress || 0))}%`;
            bar.firstChild.textContent = told.textinfo || "";
            if (told.completed) stop();
            else setTimeout(ask, 300);
        };
        setTimeout(() => ask().catch(stop), 300);
    },
};

function onUiLoaded(callback) { pocket.lists.loaded.push(callback); }
function onUiUpdate(callback) { pocket.lists.update.push(callback); }
function onAfterUiUpdate(callback) { pocket.lists.after.push(callback); }
function onUiTabChange(callback) { pocket.lists.tab.push(callback); }
function onOptionsChanged(callback) { pocket.lists.options.push(callback); }
function onOptionsAvailable(callback) { callback(); }

function randomId() {
    return `task(${Math.random().toString(36).slice(2, 7)}${Math.random().toString(36).slice(2, 7)})`;
}

function submit() {
    const args = Array.from(arguments);
    args[0] = randomId();
    pocket.follow(args[0], "txt2img");
    return args;
}

function submit_img2img() {
    const args = Array.from(arguments);
    args[0] = randomId();
    args[1] = pocket.selected("mode_img2img");
    pocket.follow(args[0], "img2img");
    return args;
}

function switch_to_txt2img() { pocket.tab("txt2img"); return Array.from(arguments); }
function switch_to_img2img_tab(number) {
    pocket.tab("img2img");
    gradioApp().querySelectorAll("#mode_img2img > .tab-nav > button")[number].click();
}
function switch_to_img2img() { switch_to_img2img_tab(0); return Array.from(arguments); }
function switch_to_inpaint() { switch_to_img2img_tab(2); return Array.from(arguments); }

function all_gallery_buttons() {
    const shown = get_uiCurrentTabContent();
    return shown ? Array.from(shown.querySelectorAll('div[id$="_gallery"] .thumbnails > .thumbnail-item')) : [];
}

function selected_gallery_index() {
    return all_gallery_buttons().findIndex((button) => button.classList.contains("selected"));
}

function extract_image_from_gallery(gallery) {
    if (!gallery || !gallery.length) return [null];
    const index = selected_gallery_index();
    return [gallery[index < 0 || index >= gallery.length ? 0 : index]];
}

document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(pocket.watch).observe(gradioApp(), {childList: true, subtree: true});
});
