// How far this page has come, so that a new connection can ask for exactly what it missed.
// Shape: {"epoch": "1", "topics": {"order.updates": [41, -1, 7]}}: per topic the last offset by partition number.
// The server tells it now and then; each event's id "<topic>:<partition>:<offset>" moves one entry on.

const EVENT_ID = /^(.+):(\d{1,9}):(\d{1,19})$/;
const MOST_PARTITIONS = 10000; // an id from a broken server must not fill the memory

export class Position {
    #told = null;

    /** The server's word; anything but a position is passed over. */
    take(position) {
        if (position && typeof position.topics === 'object' && position.topics !== null) {
            this.#told = structuredClone(position);
        }
    }

    /** An event has come. Topics that the server has not named are not ours to begin. */
    event(id) {
        const parts = this.#told && typeof id === 'string' ? EVENT_ID.exec(id) : null;
        const offsets = parts ? this.#told.topics[parts[1]] : undefined;
        const partition = parts ? Number(parts[2]) : 0;
        if (!Array.isArray(offsets) || partition >= MOST_PARTITIONS) return;
        while (offsets.length <= partition) offsets.push(-1);
        offsets[partition] = Math.max(offsets[partition], Number(parts[3]));
    }

    forget() {
        this.#told = null;
    }

    /** null until the server has told one. */
    get value() {
        return this.#told;
    }
}
