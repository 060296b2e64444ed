// The current prices: the last value of each token, with its way over the last updates.

import { byId, element, paced } from './dom.mjs';

const MOST_TOKENS = 200;
const TREND_LENGTH = 60;
const TREND_FULL = 20; // so many values fill the width; more lie closer
const SVG = 'http://www.w3.org/2000/svg';

/** Numbers may come as text, "2150.45", to keep their digits: shown as they came. */
const shown = (value) => (value === undefined || value === null ? '' : String(value));

/** The polyline of a trend in a box of width x height, newest at the right. */
export function trendPoints(values, width, height) {
    const low = Math.min(...values);
    const span = Math.max(...values) - low || 1;
    const step = width / (Math.max(TREND_FULL, values.length) - 1);
    const from = width - step * (values.length - 1);
    return values.map((value, i) => `${(from + i * step).toFixed(1)},${(height - 2 - ((value - low) / span) * (height - 4)).toFixed(1)}`).join(' ');
}

/** By chain, numbers among them by value, then by token. */
export const priceOrder = (a, b) => shown(a.chainId).localeCompare(shown(b.chainId), undefined, { numeric: true }) || shown(a.token).localeCompare(shown(b.token));

export class Prices {
    #tokens = new Map();
    #shown = []; // those that have a row, in its order
    #draw = paced(200, () => this.#render());

    take(message) {
        const data = message.data ?? {};
        if (message.type !== 'price_update' || data.token === undefined) return;
        const key = `${data.chainId}:${data.token}`;
        let token = this.#tokens.get(key);
        if (!token) {
            if (this.#tokens.size >= MOST_TOKENS) return;
            token = { trend: [], row: null };
            this.#tokens.set(key, token);
        }
        token.data = data;
        token.changed = true;
        const number = Number(data.price);
        if (Number.isFinite(number)) {
            token.trend.push(number);
            if (token.trend.length > TREND_LENGTH) token.trend.shift();
        }
        this.#draw();
    }

    #render() {
        byId('no-prices').hidden = this.#tokens.size > 0;
        byId('price-table').hidden = this.#tokens.size === 0;
        byId('price-count').textContent = this.#tokens.size < MOST_TOKENS ? `${this.#tokens.size} tokens` : `the first ${MOST_TOKENS} tokens`;
        for (const token of this.#tokens.values()) {
            if (!token.changed) continue;
            token.changed = false;
            token.row ??= this.#newRow(token);
            this.#update(token);
        }
    }

    #newRow(token) {
        const line = document.createElementNS(SVG, 'polyline');
        const trend = document.createElementNS(SVG, 'svg');
        trend.setAttribute('class', 'trend');
        trend.setAttribute('viewBox', '0 0 96 24');
        trend.setAttribute('aria-hidden', 'true');
        trend.append(line);
        const row = {
            line,
            price: element('td', { className: 'number price' }),
            change: element('td', { className: 'number' }),
        };
        const name = element('th', { scope: 'row' }, shown(token.data.token));
        row.element = element('tr', {}, name, element('td', { className: 'number' }, shown(token.data.chainId)), row.price, row.change, element('td', {}, trend));
        this.#insert(token, row.element);
        return row;
    }

    #insert(token, line) {
        const at = this.#shown.findIndex((other) => priceOrder(other.data, token.data) > 0);
        byId('price-rows').insertBefore(line, at < 0 ? null : this.#shown[at].row.element);
        this.#shown.splice(at < 0 ? this.#shown.length : at, 0, token);
    }

    #update({ row, data, trend }) {
        const change = Number(data.change24h);
        row.price.textContent = shown(data.price);
        row.change.textContent = shown(data.change24h) && `${change > 0 ? '+' : ''}${Number.isFinite(change) ? change.toFixed(2) : shown(data.change24h)} %`;
        row.change.className = `number ${change < 0 ? 'down' : 'up'}`;
        if (trend.length > 1) row.line.setAttribute('points', trendPoints(trend, 96, 24));
    }
}
