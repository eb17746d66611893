// The page's side of LD-ZNet masks: masks onto the inpaint canvas, the right tab in front, tooltips. One global object;
// elements are found by elem_id alone, never by their text, which hosts translate.

const ldznet = {
    tips: {
        ldznet_inpaint_undo: "Undo: the mask as it was before the last words; what you painted since stays",
        ldznet_inpaint_clear: "Empty the mask",
        ldznet_upload_undo: "Undo: the mask as it was before the last words; what you painted since stays",
        ldznet_upload_clear: "Empty the mask",
        ldznet_tab_look: "Find everything that the prompt names",
        ldznet_tab_refresh: "Look again which checkpoint is loaded and which heads are there",
        ldznet_txt2img_mask: "Masks of this picture: open it in the LD-ZNet tab",
        ldznet_txt2img_to_inpaint: "Inpaint: send this picture with the accordion's mask (no words: all that the prompt names)",
        ldznet_txt2img_cut: "Cut out what the accordion asks for (no words: all that the prompt names)",
        ldznet_img2img_mask: "Masks of this picture: open it in the LD-ZNet tab",
        ldznet_img2img_to_inpaint: "Inpaint: send this picture with the accordion's mask (no words: all that the prompt names)",
        ldznet_img2img_cut: "Cut out what the accordion asks for (no words: all that the prompt names)",
    },
    INPAINT: "img2img_inpaint_tab",
    UPLOAD: "img2img_inpaint_upload_tab",

    root() {
        return typeof gradioApp === "function" ? gradioApp() : document;
    },

    byId(id) {
        return ldznet.root().querySelector(`#${id}`);
    },

    wait(ms) {
        return new Promise((resolve) => setTimeout(resolve, ms));
    },

    // Bring the tab to the front that is the element with this id, among those of its row.
    select(tabs, id) {
        const row = ldznet.byId(tabs);
        if (!row) return false;
        const items = Array.from(row.children).filter((child) => child.classList.contains("tabitem"));
        const buttons = row.querySelectorAll(":scope > .tab-nav > button, :scope > [role=tablist] > button");
        const button = buttons[items.findIndex((item) => item.id === id)];
        if (button) button.click();
        return Boolean(button);
    },

    view(name) {
        ldznet.select("ldznet_tab_views", `ldznet_tab_view_${name}`);
    },

    open_tab(view) {
        ldznet.select("tabs", "tab_ldznet");
        if (view) ldznet.view(view);
    },

    // A picture has come into the tab: look for what its prompt names, or find the words.
    arrived(button) {
        if (!button) return;
        ldznet.open_tab();
        ldznet.byId(`ldznet_tab_${button}`)?.click();
    },

    open_inpaint(id) {
        ldznet.select("tabs", "tab_img2img");
        ldznet.select("mode_img2img", id);
    },

    // The gallery's selected picture as the host hands it to Python, and whatever else was given.
    chosen(gallery, ...rest) {
        const there = Array.isArray(gallery) && gallery.length;
        return [there ? extract_image_from_gallery(gallery)[0] : null, ...rest];
    },

    async picture(url) {
        const picture = new Image();
        picture.src = url;
        await picture.decode();
        return picture;
    },

    // Draw a mask (a data URL: black, its alpha the mask) in place of what the sketch canvas holds, and tell the component.
    // A picture that has only just arrived is laid out anew once or twice, which empties the canvas: so look again.
    async paint(id, url) {
        if (!url) return;
        const turn = (ldznet.turn = (ldznet.turn || 0) + 1);
        const picture = await ldznet.picture(url);
        const probe = ldznet.probe(picture);
        let canvas = await ldznet.canvas(id, picture);
        if (!canvas) return;
        ldznet.draw(id, canvas, picture);
        for (const ms of [80, 160, 320, 640]) {
            await ldznet.wait(ms);
            if (turn !== ldznet.turn) return;
            const now = ldznet.byId(id)?.querySelector('canvas[key="mask"]');
            if (now && !(now === canvas && ldznet.holds(now, probe, picture))) {
                canvas = now;
                ldznet.draw(id, canvas, picture);
            }
        }
    },

    // An event's values, among them a sketch's: with its mask, also where the component has not told of one yet.
    // Gradio gives the outputs' values behind the inputs', so it is found by what it is: the first picture there.
    whole(id, values) {
        const held = (value) => (typeof value === "string" ? value.startsWith("data:image") && value : value?.image);
        const at = values.findIndex(held);
        if (at < 0 || values[at].mask) return values;
        const canvas = ldznet.byId(id)?.querySelector('canvas[key="mask"]');
        const blank = canvas?.width ? canvas : document.createElement("canvas");
        return values.map((value, index) => (index === at ? {image: held(value), mask: blank.toDataURL()} : value));
    },

    // The mask's canvas once it has the picture's size; after five seconds whatever there is.
    async canvas(id, picture) {
        let found = null;
        for (let tries = 0; tries < 50; tries++) {
            found = ldznet.byId(id)?.querySelector('canvas[key="mask"]') || null;
            if (found && found.width === picture.naturalWidth && found.height === picture.naturalHeight) break;
            await ldznet.wait(100);
        }
        return found;
    },

    draw(id, canvas, picture) {
        const context = canvas.getContext("2d");
        context.globalCompositeOperation = "source-over";
        context.clearRect(0, 0, canvas.width, canvas.height);
        context.drawImage(picture, 0, 0, canvas.width, canvas.height);
        const face = ldznet.byId(id).querySelector('canvas[key="interface"]');
        const place = face.getBoundingClientRect();
        // a stroke far outside: nothing is painted, but the component reads its canvas
        const where = {bubbles: true, clientX: place.left - 9999, clientY: place.top - 9999};
        face.dispatchEvent(new MouseEvent("mousedown", where));
        face.dispatchEvent(new MouseEvent("mouseup", where));
    },

    // A pixel that the mask covers, as fractions of its sides; null where it is empty.
    probe(picture) {
        const small = document.createElement("canvas");
        small.width = small.height = 64;
        const context = small.getContext("2d", {willReadFrequently: true});
        context.drawImage(picture, 0, 0, 64, 64);
        const data = context.getImageData(0, 0, 64, 64).data;
        let best = -1;
        for (let at = 3; at < data.length; at += 4) if (data[at] > 200 && (best < 0 || data[at] > data[best])) best = at;
        return best < 0 ? null : [((best >> 2) % 64 + 0.5) / 64, (Math.floor((best >> 2) / 64) + 0.5) / 64];
    },

    holds(canvas, probe) {
        if (!probe) return true;
        const [x, y] = [Math.floor(probe[0] * canvas.width), Math.floor(probe[1] * canvas.height)];
        return canvas.getContext("2d").getImageData(x, y, 1, 1).data[3] > 100;
    },

    // Gradio lets a region be chosen by its label; here by a click into the picture too: the smallest one under the pointer.
    region(event) {
        const box = event.target.closest ? event.target.closest("#ldznet_tab_regions") : null;
        const base = box && box.querySelector("img.base-image");
        if (!base || event.target.closest(".legend-item, button")) return;
        const place = base.getBoundingClientRect();
        const [x, y] = [(event.clientX - place.left) / place.width, (event.clientY - place.top) / place.height];
        if (x < 0 || y < 0 || x >= 1 || y >= 1) return;
        const found = Array.from(box.querySelectorAll("img.mask"), (mask, index) => ({index, area: ldznet.area(mask, x, y)}));
        const here = found.filter((one) => one.area > 0).sort((a, b) => a.area - b.area)[0];
        if (here) box.querySelectorAll(".legend-item")[here.index]?.click();
    },

    // How large a region is, in cells of a coarse grid; 0 where it does not cover the place (fractions of the sides).
    area(mask, x, y) {
        const side = 128;
        const small = document.createElement("canvas");
        small.width = small.height = side;
        const context = small.getContext("2d", {willReadFrequently: true});
        context.drawImage(mask, 0, 0, side, side);
        const data = context.getImageData(0, 0, side, side).data;
        if (data[(Math.floor(y * side) * side + Math.floor(x * side)) * 4 + 3] < 16) return 0;
        let area = 0;
        for (let at = 3; at < data.length; at += 4) area += data[at] >= 16;
        return area;
    },

    KEYS: ["Enter", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End"],

    // Gradio tells of a slider that is let go by the pointer or whose number is left; ours answer to keys too, once they rest.
    keyed(event) {
        const slider = event.target.matches?.("input[type=range], input[type=number]") && event.target.closest("[id^=ldznet_]");
        const range = slider && slider.querySelector("input[type=range]");
        if (!range || !ldznet.KEYS.includes(event.key)) return;
        clearTimeout(ldznet.resting);
        ldznet.resting = setTimeout(() => range.dispatchEvent(new Event("pointerup")), 250);
    },

    start() {
        ldznet.root().addEventListener("click", ldznet.region);
        ldznet.root().addEventListener("keyup", ldznet.keyed);
        // the page may have been made before a checkpoint was loaded; its buttons do not answer at once
        setTimeout(() => ldznet.byId("ldznet_tab_refresh")?.click(), 1500);
        for (const [id, tip] of Object.entries(ldznet.tips)) {
            const element = ldznet.byId(id);
            if (element) element.title = tip;
        }
    },

    // What is loaded may have changed since the tab was last looked at.
    shown() {
        const content = typeof get_uiCurrentTabContent === "function" ? get_uiCurrentTabContent() : null;
        if (content && content.id === "tab_ldznet") ldznet.byId("ldznet_tab_refresh")?.click();
    },
};

if (typeof onUiLoaded === "function") onUiLoaded(ldznet.start);
if (typeof onUiTabChange === "function") onUiTabChange(ldznet.shown);
