// PROXY protocol: whose connection it is, as trusted proxies say it in front of everything else.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { PATIENCE_MS, SECRET, startGateway, within } from './harness.mjs';

const PROXY = '127.0.0.3'; // the harness itself asks from 127.0.0.1, without a header
let gateway;
before(async () => {
    gateway = await startGateway({
        dev: true,
        env: { JWT_SECRET: SECRET, PROXY_PROTOCOL: 'true', TRUSTED_PROXIES: `${PROXY},192.0.2.77`,
            ADDRESS_DENY: '203.0.113.0/24', ADMIN_ALLOW: '192.0.2.9' },
    });
});
after(() => gateway?.stop());

const text = (source, family = 'TCP4', target = '127.0.0.1') => Buffer.from(`PROXY ${family} ${source} ${target} 4711 443\r\n`);
function binary(command, family, ...rest) {
    const body = Buffer.concat(rest.map(part => Buffer.from(part)));
    return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n'), Buffer.from([0x20 | command, family, body.length >> 8, body.length & 255]), body]);
}
const FOUR = source => [...source.split('.').map(Number), 127, 0, 0, 1, 0x12, 0x67, 1, 187];
const request = (path, ...headers) => Buffer.from([`GET ${path} HTTP/1.1`, 'Host: gateway', ...headers, '', ''].join('\r\n'));
const upgrade = (...headers) => request('/ws', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...headers);

// The status of the answer; 0 when the connection is closed without one. `from`: the address that connects.
function ask(bytes, { from = PROXY, piece = bytes.length } = {}) {
    const socket = connect({ port: gateway.port, host: '127.0.0.1', localAddress: from, noDelay: true });
    const answer = new Promise(resolve => {
        let heard = '';
        socket.on('data', data => {
            heard += data.toString('latin1');
            if (heard.includes('\r\n'))
                resolve(Number(heard.split(' ')[1]));
        });
        socket.on('error', () => {});
        socket.once('close', () => resolve(0));
    });
    const send = async () => {
        for (let at = 0; at < bytes.length && !socket.destroyed; at += piece) {
            socket.write(bytes.subarray(at, at + piece));
            if (piece < bytes.length)
                await pause(1); // so that they are read one by one, not to await anything
        }
    };
    socket.once('connect', send);
    return within('an answer', PATIENCE_MS, answer).finally(() => socket.destroy());
}
const both = (...parts) => Buffer.concat(parts);

test('the address in the header is the client’s: denied, allowed and administrator go by it', async () => {
    for (const header of [address => text(address), address => binary(1, 0x11, FOUR(address)),
        address => binary(1, 0x11, FOUR(address), [4, 0, 4, 1, 2, 3, 4])]) {
        assert.equal(await ask(both(header('198.51.100.1'), upgrade())), 101);
        assert.equal(await ask(both(header('203.0.113.5'), upgrade())), 403);
        assert.equal(await ask(both(header('192.0.2.9'), request('/connections'))), 200);
        assert.equal(await ask(both(header('198.51.100.1'), request('/connections'))), 403);
    }
    assert.equal(await ask(both(text('2001:db8::1', 'TCP6', '::1'), upgrade())), 101);
    assert.equal(await ask(both(text('::ffff:203.0.113.5', 'TCP6', '::1'), upgrade())), 403);
});

test('one byte at a time is the same', async () => {
    assert.equal(await ask(both(text('203.0.113.5'), upgrade()), { piece: 1 }), 403);
    assert.equal(await ask(both(binary(1, 0x11, FOUR('198.51.100.1')), upgrade()), { piece: 1 }), 101);
});

test('a health check speaks for the proxy; who is not named is nobody', async () => {
    assert.equal(await ask(both(binary(0, 0), request('/health'))), 200);
    assert.equal(await ask(both(Buffer.from('PROXY UNKNOWN\r\n'), request('/health'))), 200);
    assert.equal(await ask(both(Buffer.from('PROXY UNKNOWN\r\n'), request('/connections'))), 403);
    assert.equal(await ask(both(Buffer.from('PROXY UNKNOWN\r\n'), upgrade())), 403, 'a list refuses whom it does not know');
});

test('X-Forwarded-For is believed when the header names a trusted proxy, and only then', async () => {
    const forwarded = 'X-Forwarded-For: 203.0.113.5';
    assert.equal(await ask(both(text('192.0.2.77'), upgrade(forwarded))), 403);
    assert.equal(await ask(both(text('198.51.100.1'), upgrade(forwarded))), 101);
});

test('without a right header a trusted proxy is closed, counted and named in the log', async () => {
    const wrong = [upgrade(), text('203.0.113.500'), both(text('198.51.100.1').subarray(0, -2), Buffer.from('\n')),
        binary(1, 0x51, FOUR('198.51.100.1')), binary(1, 0x11, Buffer.alloc(4097)), Buffer.alloc(200, 'PROXY UNKNOWN ')];
    for (const bytes of wrong)
        assert.equal(await ask(bytes), 0);
    await gateway.printed(/connection from 127\.0\.0\.3 closed, PROXY_PROTOCOL is on: it does not begin with a PROXY header/);
    assert.equal(await gateway.metric('proxy_headers_bad_total'), wrong.length);
});

test('from anybody else a header is a bad request, and plain requests are served', async () => {
    const from = '127.0.0.2';
    assert.equal(await ask(both(text('198.51.100.1'), upgrade()), { from }), 400);
    assert.equal(await ask(both(binary(1, 0x11, FOUR('198.51.100.1')), upgrade()), { from }), 400);
    assert.equal(await ask(upgrade(), { from }), 101);
});

test('two headers are one too many', async () => {
    assert.equal(await ask(both(text('198.51.100.1'), text('198.51.100.2'), upgrade())), 400);
});
