// The live stream: the newest messages, filtered, paused, one shown whole on request. Memory is bounded: the last
// KEPT messages, SHOWN of them in the page.

import { byId, element, paced } from './dom.mjs';

const KEPT = 500;
const SHOWN = 100;
const LONGEST_KEPT = 65536; // characters of one message

/** The browser's time of day, as beside the plots, to the millisecond. */
const time = (ms) => `${new Date(ms).toTimeString().slice(0, 8)}.${String(ms % 1000).padStart(3, '0')}`;

/** What a row has room for: the data as it came. Before that stand words, in which a quote is escaped. */
export const gist = (text) => {
    const at = text.indexOf('"data":');
    return at < 0 ? text : text.slice(at + 7, text.endsWith('}') ? -1 : undefined);
};

export class Stream {
    #kept = []; // oldest first
    #count = 0;
    #paused = false;
    #filter = '';
    #rows = new Map(); // number of a message -> its list item
    #draw = paced(150, () => this.#render());

    constructor() {
        byId('filter').addEventListener('input', (event) => {
            this.#filter = event.target.value.trim().toLowerCase();
            this.#draw();
        });
        byId('pause').addEventListener('click', (event) => {
            this.#paused = !this.#paused;
            event.target.setAttribute('aria-pressed', String(this.#paused));
            event.target.textContent = this.#paused ? 'Go on' : 'Pause';
            this.#draw();
        });
        byId('clear').addEventListener('click', () => {
            this.#kept = [];
            this.#draw();
        });
    }

    /** `message` null: it was no message; its text is shown all the same. */
    take(message, raw) {
        this.#count++;
        if (!this.#paused) {
            const text = raw.length > LONGEST_KEPT ? `${raw.slice(0, LONGEST_KEPT)}…` : raw;
            this.#kept.push({ number: this.#count, at: Date.now(), type: message?.type ?? 'malformed', bad: !message, text });
            if (this.#kept.length > KEPT) this.#kept.splice(0, this.#kept.length - KEPT);
        }
        this.#draw();
    }

    #matches = (entry) => this.#filter === '' || entry.type.toLowerCase().includes(this.#filter) || entry.text.toLowerCase().includes(this.#filter);

    #render() {
        const list = byId('messages');
        const wanted = [];
        for (let i = this.#kept.length - 1; i >= 0 && wanted.length < SHOWN; i--) {
            if (this.#matches(this.#kept[i])) wanted.push(this.#kept[i]);
        }
        const stays = new Set(wanted.map((entry) => entry.number));
        for (const [number, row] of this.#rows) {
            if (!stays.has(number)) {
                row.remove();
                this.#rows.delete(number);
            }
        }
        // Rows that stay are left alone, so that focus and a click in progress survive a busy stream.
        let before = list.firstChild;
        for (const entry of wanted) {
            const row = this.#rows.get(entry.number);
            if (row) {
                before = row.nextSibling;
            } else {
                const made = this.#row(entry);
                this.#rows.set(entry.number, made);
                list.insertBefore(made, before);
            }
        }
        byId('stream-count').textContent = `${this.#count} received${this.#paused ? ', paused' : ''}`;
    }

    #row(entry) {
        const button = element('button', { type: 'button' },
            element('span', { className: 'time' }, time(entry.at)),
            element('span', { className: 'type' }, entry.type),
            element('span', { className: 'text' }, gist(entry.text).slice(0, 300)));
        button.addEventListener('click', () => this.#show(entry));
        return element('li', { className: entry.bad ? 'bad' : '' }, button);
    }

    #show(entry) {
        let text = entry.text;
        if (!entry.bad) {
            try {
                text = JSON.stringify(JSON.parse(entry.text), null, 2);
            } catch {
                // cut: as it is
            }
        }
        byId('detail-title').textContent = entry.type;
        byId('detail-text').textContent = text;
        byId('detail').showModal();
    }
}
