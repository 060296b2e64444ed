// Random choices that come again: the same seed gives the same ones in the same order (xorshift over 32 bits, seeded
// by a hash of the text). Each part of a run has a generator of its own, so that one's timing doesn't move another's.
export class Random {
    #state;

    constructor(seed) {
        this.#state = [...String(seed)].reduce((hash, letter) => Math.imul(hash ^ letter.codePointAt(0), 0x01000193) >>> 0, 0x811c9dc5) || 1;
        for (let i = 0; i < 8; i++)
            this.below(1);
    }

    // 0 to n - 1.
    below(n) {
        let x = this.#state;
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        this.#state = x >>> 0;
        return this.#state % n;
    }

    between(least, most) {
        return least + this.below(most - least + 1);
    }

    of(list) {
        return list[this.below(list.length)];
    }
}

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
