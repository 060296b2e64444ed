// Prometheus' text format, as far as the gateway's /metrics uses it, and what the plots make of it.

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Map of name -> [{labels, value}]. Lines that are none are passed over. */
export function parseMetrics(text) {
    const families = new Map();
    for (const line of text.split('\n')) {
        const parts = LINE.exec(line);
        if (!parts) continue;
        const labels = Object.fromEntries([...(parts[2] ?? '').matchAll(LABEL)].map((label) => [label[1], label[2]]));
        if (!families.has(parts[1])) families.set(parts[1], []);
        families.get(parts[1]).push({ labels, value: Number(parts[3]) });
    }
    return families;
}

export const sum = (families, name) => (families.get(name) ?? []).reduce((total, sample) => total + sample.value, 0);

/** The value below which the share `p` of the sorted values lies (nearest rank); undefined for none. */
export function percentile(sorted, p) {
    return sorted[Math.max(0, Math.ceil(sorted.length * p) - 1)];
}

const threeDigits = (value) => (value < 99.95 ? Math.round(value * 10) / 10 : Math.round(value));

/** 8.5, 472, 23.4 k, 1.2 M; a dash for none. */
export function shortNumber(value) {
    if (value === null || value === undefined) return '–';
    if (value >= 999_500) return `${threeDigits(value / 1e6)} M`;
    if (value >= 1e4) return `${threeDigits(value / 1e3)} k`;
    return String(threeDigits(value));
}

const CLOCK_SAMPLES = 10;

/** The server's clock less ours, by the quickest of the last questions about it: a slow one may err by half of what it took. */
export class ServerClock {
    #samples = []; // {offsetMs, tookMs}, oldest first

    take(sample) {
        this.#samples.push(sample);
        if (this.#samples.length > CLOCK_SAMPLES) this.#samples.shift();
    }

    /** 0 before the first one. */
    get offsetMs() {
        return this.#samples.reduce((best, sample) => (sample.tookMs < best.tookMs ? sample : best), { offsetMs: 0, tookMs: Infinity }).offsetMs;
    }
}
