// The page's WebSocket: signs in, keeps the position, comes back by itself with backoff and jitter, and resumes.

import { Position } from './position.mjs';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30000;
const PING_MS = 10000;
const SILENCE_MS = 45000; // the server pings a browser's socket, but a page never sees that: pongs are our sign
const KNOWN_REFUSALS = new Set(['INVALID_TOKEN', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'USER_INACTIVE', 'INVALID_USER_ID']);

/** Wait before the n-th attempt (from 0): doubles, with half of it left to chance. */
export function backoffMs(attempt, random = Math.random) {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 20));
    return longest / 2 + (random() * longest) / 2;
}

/**
  * Events: 'state' {state: 'wait'|'live'|'refused'|'off', text}, 'message' {message, raw} (message null when raw is no
  * JSON object), 'missed' {recovered, count, reason}, 'clock' {offsetMs, tookMs}.
  */
export class Connection extends EventTarget {
    #url;
    #token = '';
    #socket = null;
    #attempt = 0;
    #timer = 0;
    #pingTimer = 0;
    #heard = 0;
    #number = 0;
    #pingSent = new Map();
    #authenticateId = '';
    #waitMs = null; // the server's own word for the next reconnect
    position = new Position();
    channels = new Set(); // joined by hand: joined again after a reconnect

    constructor(url) {
        super();
        this.#url = url;
    }

    start(token) {
        this.#token = token;
        this.#attempt = 0;
        this.#open();
    }

    stop() {
        this.#token = '';
        clearTimeout(this.#timer);
        this.position.forget();
        this.channels.clear();
        this.#drop();
        this.#tell('state', { state: 'off', text: 'not connected' });
    }

    get open() {
        return this.#socket?.readyState === WebSocket.OPEN;
    }

    /** Sends a message of that type; its id, which the answer names as `ref`. */
    send(type, data) {
        const id = `console-${++this.#number}`;
        this.sendText(JSON.stringify({ id, type, timestamp: Date.now(), data }));
        return id;
    }

    sendText(text) {
        if (this.open) this.#socket.send(text);
    }

    #tell(name, detail) {
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    #drop() {
        clearInterval(this.#pingTimer);
        const socket = this.#socket;
        this.#socket = null;
        socket?.close();
    }

    #open() {
        this.#tell('state', { state: 'wait', text: this.#attempt === 0 ? 'connecting' : `connecting, attempt ${this.#attempt + 1}` });
        const socket = new WebSocket(this.#url, ['moonx.v1']);
        this.#socket = socket;
        this.#heard = Date.now();
        this.#pingSent.clear();
        socket.addEventListener('open', () => {
            this.#pingTimer = setInterval(() => this.#ping(), PING_MS);
        });
        socket.addEventListener('message', (event) => {
            if (this.#socket === socket) this.#take(event.data);
        });
        socket.addEventListener('close', (event) => {
            if (this.#socket === socket) this.#closed(event);
        });
    }

    #ping() {
        if (Date.now() - this.#heard > SILENCE_MS) {
            this.#socket.close();
            return;
        }
        this.#pingSent.set(this.send('ping', {}), Date.now());
    }

    #closed(event) {
        this.#drop();
        if (!this.#token) return;
        const why = event.reason || (event.code === 1006 ? 'connection lost' : `closed with ${event.code}`);
        const waitMs = this.#waitMs ?? backoffMs(this.#attempt);
        this.#waitMs = null;
        this.#attempt++;
        this.#tell('state', { state: 'wait', text: `${why}; again in ${(waitMs / 1000).toFixed(1)} s` });
        this.#timer = setTimeout(() => this.#open(), waitMs);
    }

    #take(raw) {
        this.#heard = Date.now();
        let message = null;
        try {
            message = JSON.parse(raw);
        } catch {
            // shown as it is, below
        }
        if (message === null || typeof message !== 'object' || typeof message.type !== 'string') {
            this.#tell('message', { message: null, raw: String(raw) });
            return;
        }
        this.#follow(message);
        this.#tell('message', { message, raw });
    }

    #follow(message) {
        const data = message.data ?? {};
        this.position.event(message.id);
        this.position.take(data.position);
        this.#answers[message.type]?.(data, message);
    }

    // What the connection itself does about a message.
    #answers = {
        auth_required: () => this.#authenticate(),
        token_refresh_required: () => this.#tell('state', { state: 'live', text: 'connected; the token ends soon' }),
        auth_success: (data) => {
            this.#attempt = 0;
            this.#tell('state', { state: 'live', text: 'connected', user: data.user });
            this.#ping();
        },
        auth_failed: (data, message) => {
            const ours = message.ref === undefined || message.ref === this.#authenticateId; // not the composer's
            if (!ours || !KNOWN_REFUSALS.has(data.code)) return;
            this.#token = '';
            this.#drop();
            this.#tell('state', { state: 'refused', text: `${data.error ?? 'refused'} (${data.code})` });
        },
        resumed: (data) => this.#tell('missed', data),
        reconnect: (data) => {
            this.#waitMs = Number.isFinite(data.afterMs) ? Math.max(0, data.afterMs) : null;
        },
        pong: (data, message) => {
            const sent = this.#pingSent.get(message.ref);
            this.#pingSent.delete(message.ref);
            if (sent !== undefined && Number.isFinite(data.serverTime)) {
                const now = Date.now();
                this.#tell('clock', { offsetMs: data.serverTime - (sent + now) / 2, tookMs: now - sent });
            }
        },
    };

    #authenticate() {
        const data = { token: this.#token };
        if (this.channels.size > 0) data.channels = [...this.channels];
        if (this.position.value) data.resume = this.position.value;
        this.#authenticateId = this.send('authenticate', data);
    }
}
