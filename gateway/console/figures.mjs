// The server's figures over the last minutes, from /metrics every two seconds, and the latency of the events that this
// page gets: from Kafka's timestamp to here, by the server's clock.

import uPlot from './uplot.mjs';
import { byId, element } from './dom.mjs';
import { ServerClock, parseMetrics, percentile, shortNumber, sum } from './metrics.mjs';

const EVERY_MS = 2000;
const WINDOW_S = 300;
const SAMPLES = (WINDOW_S * 1000) / EVERY_MS + 1;
const MOST_LATENCIES = 20000; // in one interval
const MOST_WORKERS = 8; // lines of the plot; the rest are summed

// `counter`: shown as its growth a second, all workers together.
const PLOTS = [
    { key: 'messages', title: 'Messages from Kafka a second', lines: ['messages/s'], counter: 'moonx_kafka_messages_total' },
    { key: 'deliveries', title: 'Deliveries to clients a second', lines: ['deliveries/s'], counter: 'moonx_deliveries_total' },
    { key: 'latency', title: 'Kafka to this page, ms: p50 / p99', lines: ['p50 ms', 'p99 ms'] },
    { key: 'connections', title: 'Connections by worker', lines: [] },
    { key: 'lag', title: 'Kafka lag, messages', lines: ['lag'] },
    { key: 'bytes', title: 'Bytes sent a second', lines: ['bytes/s'], counter: 'moonx_sent_bytes_total' },
];
const RATES = PLOTS.filter((row) => row.counter !== undefined);

const colour = (i) => getComputedStyle(document.documentElement).getPropertyValue(`--plot-${(i % 4) + 1}`).trim();

const clockTime = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 5);

class Plot {
    constructor({ title, lines }) {
        this.lines = lines;
        this.times = [];
        this.rows = [];
        this.value = element('output', {}, '–');
        this.canvas = element('div', { className: 'canvas' });
        this.figure = element('figure', { className: 'plot' }, element('figcaption', {}, element('span', {}, title), this.value), this.canvas);
        new ResizeObserver(() => this.#resize()).observe(this.canvas);
    }

    add(time, values) {
        this.times.push(time);
        this.rows.push(values);
        if (this.times.length > SAMPLES) {
            this.times.shift();
            this.rows.shift();
        }
        this.#showValues(values);
        this.#draw();
    }

    // Several values have the colours of their lines.
    #showValues(values) {
        const parts = values.map((value, i) => element('span', { className: values.length > 1 ? `line-${(i % 4) + 1}` : '' }, shortNumber(value)));
        this.value.replaceChildren(...parts.flatMap((part, i) => (i === 0 ? [part] : [' / ', part])));
    }

    #data() {
        return [this.times, ...this.lines.map((_, i) => this.rows.map((row) => row[i] ?? null))];
    }

    #draw() {
        if (this.plot && this.plot.series.length === this.lines.length + 1) {
            this.plot.setData(this.#data());
            return;
        }
        this.redraw();
    }

    /** Made anew: other lines, or other colours. */
    redraw() {
        this.plot?.destroy();
        const ink = getComputedStyle(document.body).getPropertyValue('--quiet').trim();
        const grid = getComputedStyle(document.body).getPropertyValue('--line').trim();
        const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '11px system-ui' };
        this.plot = new uPlot({
            width: Math.max(120, this.canvas.clientWidth),
            height: 120,
            legend: { show: false },
            cursor: { show: false },
            scales: { x: { range: () => [this.times.at(-1) - WINDOW_S, this.times.at(-1)] }, y: { range: (_, low, high) => [0, Math.max(1, (high ?? 1) * 1.1)] } },
            axes: [{ ...axis, size: 24, incrs: [60], values: (_, ticks) => ticks.map(clockTime) }, { ...axis, size: 46, values: (_, ticks) => ticks.map(shortNumber) }],
            series: [{}, ...this.lines.map((label, i) => ({ label, stroke: colour(i), width: 1.5, points: { show: false } }))],
        }, this.#data(), this.canvas);
    }

    #resize() {
        const width = Math.max(120, this.canvas.clientWidth);
        if (this.plot && this.plot.width !== width) this.plot.setSize({ width, height: 120 });
    }
}

export class Figures {
    #plots = new Map(PLOTS.map((row) => [row.key, new Plot(row)]));
    #latencies = [];
    clock = new ServerClock();
    #before = null;

    constructor() {
        byId('plots').append(...[...this.#plots.values()].map((plot) => plot.figure));
        matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
            for (const plot of this.#plots.values()) plot.redraw();
        });
        this.#poll();
        setInterval(() => this.#poll(), EVERY_MS);
    }

    take(message) {
        // an event from Kafka; a snapshot's time says nothing about its way
        if (typeof message.timestamp !== 'number' || message.ref !== undefined || !/:\d+$/.test(message.id ?? '') || message.data?.snapshot || message.snapshot) return;
        if (this.#latencies.length < MOST_LATENCIES) this.#latencies.push(Math.max(0, Date.now() + this.clock.offsetMs - message.timestamp));
    }

    async #poll() {
        if (document.hidden) {
            this.#before = null; // a rate over the pause would be a lie
            return;
        }
        const asked = performance.now();
        try {
            const response = await fetch('/metrics', { signal: AbortSignal.timeout(EVERY_MS) });
            if (!response.ok) throw new Error(`/metrics answers ${response.status}`);
            const families = parseMetrics(await response.text());
            // When it was counted, as near as we know: behind a slow answer the next one arrives at once.
            this.#add(families, (asked + performance.now()) / 2);
            byId('no-figures').hidden = true;
        } catch (error) {
            this.#before = null;
            byId('no-figures').hidden = false;
            byId('no-figures').textContent = `The figures are not to be had now: ${error.message}`;
        }
    }

    #add(families, now) {
        const time = Date.now() / 1000;
        const counts = Object.fromEntries(RATES.map(({ key, counter }) => [key, sum(families, counter)]));
        if (this.#before) {
            const seconds = (now - this.#before.now) / 1000;
            for (const { key } of RATES) {
                this.#plots.get(key).add(time, [Math.max(0, counts[key] - this.#before.counts[key]) / seconds]);
            }
        }
        this.#before = { now, counts };
        this.#plots.get('lag').add(time, [sum(families, 'moonx_kafka_lag')]);
        this.#addConnections(time, families.get('moonx_connections') ?? []);
        this.#addLatency(time);
    }

    #addConnections(time, samples) {
        const plot = this.#plots.get('connections');
        const values = samples.map((sample) => sample.value);
        const shown = values.length > MOST_WORKERS ? [values.reduce((a, b) => a + b, 0)] : values;
        plot.lines = shown.map((_, i) => `worker ${i}`);
        plot.add(time, shown);
    }

    #addLatency(time) {
        const sorted = this.#latencies.sort((a, b) => a - b);
        this.#latencies = [];
        this.#plots.get('latency').add(time, [percentile(sorted, 0.5) ?? null, percentile(sorted, 0.99) ?? null]);
    }
}
