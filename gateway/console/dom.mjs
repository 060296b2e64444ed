// The only way by which anything from outside gets into the page: as text.

/** An element with properties and children; strings become text nodes. */
export function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
}

export const byId = (id) => document.getElementById(id);

/** Text into a field, which becomes as high as it needs, within limits. */
export function fill(field, text) {
    field.value = text;
    field.rows = Math.min(24, Math.max(8, text.split('\n').length));
}

/** Calls `draw` at most every `everyMs`, on a frame, and not while the page is hidden. */
export function paced(everyMs, draw) {
    let wanted = false;
    let last = 0;
    const frame = (now) => {
        if (now - last < everyMs) {
            setTimeout(() => requestAnimationFrame(frame), everyMs - (now - last));
            return;
        }
        last = now;
        wanted = false;
        draw();
    };
    return () => {
        if (!wanted) {
            wanted = true;
            requestAnimationFrame(frame);
        }
    };
}
