// A WebSocket client by hand, for what no library would send: broken frames, floods, a peer that never reads.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { PATIENCE_MS, within } from './harness.mjs';

export const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, CONTINUATION = 0;
const MASK = Buffer.from([0x11, 0x22, 0x33, 0x44]);

// `declared` lies about the length; `masked: false` is what only a server may do.
export function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true, declared } = {}) {
    const body = Buffer.from(payload);
    const length = declared ?? body.length;
    const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
    const bit = masked ? 0x80 : 0;
    if (length < 126) {
        head.push(bit | length);
    } else if (length < 65536) {
        head.push(bit | 126, length >> 8, length & 255);
    } else {
        const eight = Buffer.alloc(8);
        eight.writeBigUInt64BE(BigInt(length));
        head.push(bit | 127, ...eight);
    }
    if (!masked)
        return Buffer.concat([Buffer.from(head), body]);
    const hidden = Buffer.from(body.map((byte, i) => byte ^ MASK[i % 4]));
    return Buffer.concat([Buffer.from(head), MASK, hidden]);
}

export const closePayload = (code, reason = '') => Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);

const HANDSHAKE = port => [
    'GET /ws HTTP/1.1', `Host: 127.0.0.1:${port}`, 'Upgrade: websocket', 'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', '', '',
].join('\r\n');

class RawSocket {
    #bytes = Buffer.alloc(0);
    #waiters = new Set();
    frames = []; // { opcode, fin, payload } in order

    constructor(port) {
        this.socket = connect(port, '127.0.0.1');
        this.socket.setNoDelay(true);
        this.socket.on('error', error => (this.error = error));
        this.socket.on('data', data => this.#take(data));
        this.ended = new Promise(resolve => this.socket.once('close', resolve));
        this.ended.then(() => {
            this.gone = true;
            this.#wake();
        });
    }

    #wake() {
        this.#waiters.forEach(waiter => waiter());
    }

    #take(data) {
        this.#bytes = this.#bytes.length ? Buffer.concat([this.#bytes, data]) : data;
        while (this.status === undefined ? this.#head() : this.#frame());
        this.#wake();
    }

    #head() {
        const end = this.#bytes.indexOf('\r\n\r\n');
        if (end < 0)
            return false;
        this.head = this.#bytes.subarray(0, end).toString('latin1');
        this.status = Number(this.head.split(' ')[1]);
        this.#bytes = this.#bytes.subarray(end + 4);
        return true;
    }

    #frame() {
        const bytes = this.#bytes;
        if (bytes.length < 2)
            return false;
        assert.equal(bytes[1] & 0x80, 0, 'a server never masks');
        let length = bytes[1] & 0x7f;
        let at = 2;
        if (length === 126 && bytes.length >= 4)
            [length, at] = [bytes.readUInt16BE(2), 4];
        else if (length === 127 && bytes.length >= 10)
            [length, at] = [Number(bytes.readBigUInt64BE(2)), 10];
        else if (length >= 126)
            return false;
        if (bytes.length < at + length)
            return false;
        this.frames.push({ opcode: bytes[0] & 15, fin: bytes[0] >= 128, payload: bytes.subarray(at, at + length) });
        this.#bytes = bytes.subarray(at + length);
        return true;
    }

    write(...buffers) {
        return this.socket.write(Buffer.concat(buffers));
    }

    // The first frame that fits, of those that came and those to come.
    async frame(fits, deadlineMs = PATIENCE_MS) {
        let look;
        let seen = 0;
        const found = new Promise((resolve, reject) => {
            look = () => {
                while (seen < this.frames.length) {
                    const frame = this.frames[seen++];
                    if (fits(frame))
                        return resolve(frame);
                }
                if (this.gone)
                    reject(new Error(`connection ended (${this.error?.code ?? 'FIN'}) before the frame`));
            };
        });
        this.#waiters.add(look);
        look();
        return within('frame', deadlineMs, found).finally(() => this.#waiters.delete(look));
    }

    message(type, deadlineMs) {
        return this.frame(({ opcode, payload }) => opcode === TEXT && JSON.parse(payload).type === type, deadlineMs)
            .then(({ payload }) => JSON.parse(payload));
    }

    // The server's Close: its code (1005: none) and reason.
    async closeFrame(deadlineMs) {
        const { payload } = await this.frame(({ opcode }) => opcode === CLOSE, deadlineMs);
        return { code: payload.length ? payload.readUInt16BE(0) : 1005, reason: payload.subarray(2).toString() };
    }

    destroy() {
        this.socket.destroy();
    }
}

// Upgraded; with a token authenticated, too.
export async function rawSocket(gateway, { token } = {}) {
    const raw = new RawSocket(gateway.port);
    raw.write(Buffer.from(HANDSHAKE(gateway.port)));
    await raw.message('auth_required');
    assert.equal(raw.status, 101, raw.head);
    if (token) {
        raw.write(frame(TEXT, JSON.stringify({ type: 'authenticate', data: { token } })));
        await raw.message('auto_subscribed');
    }
    return raw;
}
