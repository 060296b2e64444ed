// Who gets in and what he may do there: the rooms table, origins, addresses and proxies, administrators, limits.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import http from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { connectClient, mintToken, root, SECRET, signedIn, startGateway, until } from './harness.mjs';

const directory = mkdtempSync(join(tmpdir(), 'moonx-access-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(name, text) {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
}

// Exit status and the one line that `--check-config` says.
function checkConfig(args, env = {}) {
    const program = join(process.env.MOONX_BUILD ?? join(root, 'build'), 'moonx-gateway');
    const { status, stderr } = spawnSync(program, ['--check-config', ...args], {
        encoding: 'utf8', cwd: root, timeout: 60_000,
        env: { PATH: process.env.PATH, JWT_SECRET: SECRET, KAFKA_BROKERS: '127.0.0.1:1', WORKERS: '1', ...env },
    });
    return { status, line: stderr.trim() };
}

// A gateway with the development broker and the tests' own secret.
const start = (env = {}, more = {}) => startGateway({ dev: true, env: { JWT_SECRET: SECRET, ...env }, ...more });

describe('the rooms table', () => {
    test('a table in a file decides who joins; what it does not name is unknown', async () => {
        const rooms = file('rooms', 'prices user none\ndesk:* role:trader none\nuser:{userId} owner none\n');
        const gateway = await start({}, { args: ['--rooms', rooms] });
        const trader = await signedIn(gateway, { user: 'ann', roles: ['trader'] });
        const other = await signedIn(gateway, { user: 'bob' });
        assert.equal((await trader.request('subscribe', { channel: 'desk:1' })).type, 'subscribed');
        assert.equal((await other.request('subscribe', { channel: 'desk:1' })).data.code, 'PERMISSION_DENIED');
        assert.equal((await other.request('subscribe', { channel: 'chat:1' })).data.code, 'UNKNOWN_CHANNEL');
        assert.equal((await other.request('subscribe', { channel: 'user:ann' })).data.code, 'PERMISSION_DENIED');
        assert.equal((await other.request('subscribe', { channel: 'prices' })).type, 'subscribed');
        await Promise.all([trader.close(), other.close()]);
        await gateway.stop();
    });

    test('a wrong table stops the start with its line', () => {
        const rooms = file('wrong', '# rooms\nprices user none\nuser:* user none\n');
        const { status, line } = checkConfig(['--rooms', rooms]);
        assert.equal(status, 2);
        assert.match(line, /^moonx-gateway: \S+wrong:3: JOIN: rooms user:… are personal: only owner or none is possible$/);
    });

    test('the table in deploy/ is a right one', () => {
        assert.deepEqual(checkConfig(['--rooms', 'deploy/rooms.example']), { status: 0, line: '' });
    });
});

// The status of a handshake, with these headers: 101 or the refusal's.
function handshake(gateway, headers = {}) {
    return new Promise((resolve, reject) => {
        const request = http.request(`${gateway.http}/ws`, {
            headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
                'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers },
        });
        request.once('upgrade', (response, socket) => {
            socket.on('error', () => {});
            resolve({ status: 101, socket });
        });
        request.once('response', response => {
            const chunks = [];
            response.on('data', chunk => chunks.push(chunk));
            response.once('end', () => resolve({ status: response.statusCode, headers: response.headers,
                error: JSON.parse(Buffer.concat(chunks)).error }));
        });
        request.once('error', reject);
        request.end();
    });
}

async function statusOf(gateway, headers) {
    const { status, socket } = await handshake(gateway, headers);
    socket?.destroy();
    return status;
}

describe('origins, addresses, proxies', () => {
    test('only pages of the listed origins open a WebSocket; programs without an origin do too', async () => {
        const gateway = await start({ ALLOWED_ORIGINS: 'https://app.example.org,http://localhost:3000' });
        assert.equal(await statusOf(gateway, { Origin: 'https://app.example.org' }), 101);
        assert.equal(await statusOf(gateway), 101);
        for (const headers of [{ Origin: 'https://evil.example' }, { Origin: 'null' }, { Cookie: 'token=x' }]) {
            const refused = await handshake(gateway, headers);
            assert.equal(refused.status, 403, JSON.stringify(headers));
            assert.deepEqual(refused.error, { code: 'FORBIDDEN', message: 'This origin is not allowed' });
        }
        assert.equal((await gateway.get('/health', { headers: { Origin: 'https://evil.example' } })).status, 200);
        assert.equal(await gateway.metric('refused_origin_total'), 3);
        await gateway.stop();
    });

    test('a denied address is refused, whatever it claims; behind a trusted proxy the client counts', async () => {
        const gateway = await start({ ADDRESS_DENY: '203.0.113.0/24', TRUSTED_PROXIES: '127.0.0.1' });
        assert.equal(await statusOf(gateway), 101);
        assert.equal(await statusOf(gateway, { 'X-Forwarded-For': '192.0.2.1' }), 101);
        assert.equal(await statusOf(gateway, { 'X-Forwarded-For': '192.0.2.1, 203.0.113.9' }), 403);
        assert.equal(await statusOf(gateway, { 'X-Forwarded-For': '203.0.113.9, 192.0.2.1' }), 101);
        assert.equal(await statusOf(gateway, { Forwarded: 'for="203.0.113.9:99"' }), 403);
        assert.equal(await statusOf(gateway, { Forwarded: 'for=unknown' }), 400);
        assert.equal(await statusOf(gateway, { 'X-Forwarded-For': 'unknown, 192.0.2.1' }), 101);
        assert.equal(await statusOf(gateway, { Forwarded: 'for=_hidden, for=203.0.113.9' }), 403);
        assert.equal(await gateway.metric('refused_address_total'), 4);
        await gateway.stop();
    });

    test('without a trusted proxy its headers are nothing', async () => {
        const gateway = await start({ ADDRESS_ALLOW: '192.0.2.0/24' });
        assert.equal(await statusOf(gateway, { 'X-Forwarded-For': '192.0.2.1' }), 403);
        assert.equal((await gateway.get('/health')).status, 200);
        await gateway.stop();
    });

    test('administrators are let in by network or by token', async () => {
        const token = file('admin-token', 'correct-horse-battery\n');
        const gateway = await start({ ADMIN_ALLOW: '192.0.2.0/24', ADMIN_TOKEN_FILE: token, TRUSTED_PROXIES: '127.0.0.1' });
        const status = async headers => (await gateway.get('/connections', { headers })).status;
        assert.equal(await status({}), 403);
        assert.equal(await status({ 'X-Forwarded-For': '192.0.2.9' }), 200);
        assert.equal(await status({ 'X-Forwarded-For': '192.0.2.9, 198.51.100.1' }), 403);
        assert.equal(await status({ Authorization: 'Bearer correct-horse-battery' }), 200);
        assert.equal(await status({ Authorization: 'Bearer correct-horse-batterx' }), 403);
        assert.ok(!gateway.output.includes('correct-horse'), 'a token is never logged');
        await gateway.stop();
    });

    test('a page whose name was made to point to this host is no administrator here', async () => {
        const token = file('rebinding-token', 'correct-horse-battery\n');
        const gateway = await start({ ADMIN_TOKEN_FILE: token });
        const ask = (host, path = '/connections', headers = {}) => new Promise((resolve, reject) => {
            http.get({ host: '127.0.0.1', port: gateway.port, path, headers: { Host: host, ...headers } }, response => {
                let text = '';
                response.setEncoding('utf8').on('data', piece => (text += piece)).on('end', () => resolve({ status: response.statusCode, text }));
            }).on('error', reject);
        });
        for (const host of ['localhost', `127.0.0.1:${gateway.port}`, '[::1]', hostname(), hostname().toUpperCase()])
            assert.equal((await ask(host)).status, 200, host);
        for (const path of ['/connections', '/instances', '/debug/kafka', '/debug/handlers', '/debug/subscriptions']) {
            const { status, text } = await ask(`rebound.example:${gateway.port}`, path);
            assert.equal(status, 403, path);
            assert.match(JSON.parse(text).error.message, /an address, localhost or the host's own name in Host/);
            assert.equal((await ask('rebound.example', path, { Authorization: 'Bearer correct-horse-battery' })).status, 200, path);
        }
        for (const path of ['/', '/health', '/metrics', '/docs']) // what is everybody's stays so
            assert.equal((await ask('rebound.example', path)).status, 200, path);
        await gateway.stop();
    });

    test('a wrong list stops the start with one line', () => {
        const wrong = {
            ALLOWED_ORIGINS: 'https://app.example.org/', ADDRESS_ALLOW: '10.0.0.1/8', ADDRESS_DENY: 'a.example',
            TRUSTED_PROXIES: '10.0.0.0/33', ADMIN_ALLOW: '::1/129', ADMIN_TOKEN_FILE: '/nonexistent/token',
        };
        for (const [name, value] of Object.entries(wrong)) {
            const { status, line } = checkConfig([], { [name]: value });
            assert.equal(status, 2, name);
            assert.ok(line.startsWith(`moonx-gateway: ${name}: "${value}"`), line);
            assert.ok(!line.includes('\n'), line);
        }
    });
});

describe('limits', () => {
    const limited = (env, more) => start({ RATE_LIMIT_ENABLED: 'true', ...env }, more);

    test('an address has so many connections on all workers together, also after a worker was killed', async () => {
        const gateway = await limited({ RATE_LIMIT_MAX_CONNECTIONS_PER_IP: '6' }, { workers: 2 });
        const sockets = [];
        const fill = async () => {
            for (;;) {
                const { status, socket, error } = await handshake(gateway);
                if (status !== 101) {
                    assert.equal(status, 429);
                    assert.equal(error.code, 'TOO_MANY_REQUESTS');
                    return;
                }
                sockets.push(socket);
                socket.once('close', () => sockets.splice(sockets.indexOf(socket), 1));
                socket.resume();
            }
        };
        await fill();
        assert.equal(sockets.length, 6);
        sockets[0].destroy();
        await until('a place is free again', async () => (await statusOf(gateway)) === 101);
        await until('all that were tried are gone', async () => (await gateway.metric('connections')) <= 5);
        await fill();
        assert.equal(sockets.length, 6);
        await gateway.kill('worker');
        await gateway.started();
        await until('what the dead worker held is free again, and no more', async () => {
            await fill();
            return sockets.length === 6;
        });
        assert.ok(await gateway.metric('refused_address_limit_total') >= 2);
        sockets.slice().forEach(socket => socket.destroy());
        await gateway.stop();
    });

    test('behind a trusted proxy each client has its own limit', async () => {
        const gateway = await limited({ RATE_LIMIT_MAX_CONNECTIONS_PER_IP: '1', TRUSTED_PROXIES: '127.0.0.1' });
        const first = await handshake(gateway, { 'X-Forwarded-For': '192.0.2.1' });
        assert.equal(first.status, 101);
        assert.equal(await statusOf(gateway, { 'X-Forwarded-For': '192.0.2.1' }), 429);
        assert.equal(await statusOf(gateway, { 'X-Forwarded-For': '192.0.2.2' }), 101);
        first.socket.destroy();
        await gateway.stop();
    });

    test('too many handshakes in a second get 503 with Retry-After, and later ones come in again', async () => {
        const gateway = await limited({ RATE_LIMIT_MAX_HANDSHAKES_PER_SECOND: '2' });
        const began = performance.now();
        const answers = await Promise.all(Array.from({ length: 20 }, () => handshake(gateway)));
        const earned = Math.ceil((performance.now() - began) * 2 / 1000);
        const refused = answers.filter(({ status }) => status === 503);
        const accepted = answers.filter(({ status }) => status === 101).length;
        assert.equal(refused.length + accepted, answers.length);
        assert.ok(accepted >= 2 && accepted <= 3 + earned, `${accepted} accepted, of which ${earned} may be earned`);
        assert.equal(refused[0].headers['retry-after'], '1');
        assert.equal((await gateway.get('/health')).status, 200);
        await until('a handshake succeeds again', async () => (await statusOf(gateway)) === 101);
        answers.forEach(({ socket }) => socket?.destroy());
        await gateway.stop();
    });

    test('a user has so many connections; one more is told and closed with 1008', async () => {
        const gateway = await limited({ RATE_LIMIT_MAX_CONNECTIONS_PER_USER: '2' }, { workers: 2 });
        const clients = [await signedIn(gateway, { user: 'ann' }), await signedIn(gateway, { user: 'ann' })];
        const third = await connectClient(gateway);
        await third.next('auth_required');
        third.send('authenticate', { token: mintToken({ sub: 'ann' }) });
        assert.equal((await third.next('error')).data.code, 'RATE_LIMIT_EXCEEDED');
        assert.deepEqual(await third.closes(), { code: 1008, reason: 'Too many connections' });
        const other = await signedIn(gateway, { user: 'bob' });
        await clients[0].close();
        await until('a place is free again', async () => {
            const next = await connectClient(gateway);
            await next.next('auth_required');
            next.send('authenticate', { token: mintToken({ sub: 'ann' }) });
            const answer = await next.next(message => message.type === 'auth_success' || message.type === 'error');
            await next.close();
            return answer.type === 'auth_success';
        });
        await Promise.all([clients[1].close(), other.close()]);
        await gateway.stop();
    });

    test('a user says so much in a minute on all sockets together; retryAfter tells when to go on', async () => {
        const gateway = await limited({ RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: '60,subscribe=2' }, { workers: 2 });
        const clients = [await signedIn(gateway, { user: 'ann' }), await signedIn(gateway, { user: 'ann' })];
        const bob = await signedIn(gateway, { user: 'bob' });
        const began = performance.now();
        const refused = [];
        let accepted = 0;
        for (let i = 0; refused.length < 4; i++) {
            const answer = await clients[i % 2].request('ping', {});
            if (answer.type === 'pong')
                accepted++;
            else
                refused.push(answer);
        }
        const earned = Math.ceil((performance.now() - began) / 1000);
        assert.ok(accepted >= 60 && accepted <= 61 + earned, `${accepted} accepted, of which ${earned} may be earned`);
        for (const answer of refused) {
            assert.equal(answer.data.code, 'RATE_LIMIT_EXCEEDED');
            assert.equal(answer.data.retryAfter, 1);
        }
        await setTimeout(refused.at(-1).data.retryAfter * 1000); // as the server says, no longer
        assert.equal((await clients[0].request('ping', {})).type, 'pong');
        assert.equal((await bob.request('ping', {})).type, 'pong');
        for (const type of ['subscribed', 'subscribed', 'error'])
            assert.equal((await bob.request('subscribe', { channel: 'prices' })).type, type);
        const { data: { retryAfter } } = await bob.request('subscribe', { channel: 'prices' });
        assert.ok(retryAfter > 0 && retryAfter <= 30, `${retryAfter}`);
        assert.equal(clients[0].ended, undefined);
        assert.equal(await gateway.metric('messages_limited_total'), refused.length + 2);
        await Promise.all([...clients, bob].map(client => client.close()));
        await gateway.stop();
    });

    test('who goes on in spite of all refusals is closed with 1008, also one that has not authenticated', async () => {
        const gateway = await limited({ RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: '20' });
        const known = await signedIn(gateway, { user: 'ann' });
        const stranger = await connectClient(gateway);
        for (let i = 0; i < 200; i++) {
            known.send('ping', {});
            stranger.sendText('rubbish');
        }
        for (const client of [known, stranger]) {
            assert.deepEqual(await client.closes(), { code: 1008, reason: 'Rate limit exceeded' });
            assert.equal(client.all('error').filter(({ data }) => data.code === 'RATE_LIMIT_EXCEEDED').length, 50);
        }
        assert.equal(await gateway.metric('abusers_closed_total'), 2);
        await gateway.stop();
    });

    test('switched off, nothing is limited; a wrong list stops the start', async () => {
        const gateway = await start({ RATE_LIMIT_ENABLED: 'false', RATE_LIMIT_MAX_CONNECTIONS_PER_IP: '1', RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: '1' });
        const clients = [await signedIn(gateway), await signedIn(gateway)];
        for (let i = 0; i < 10; i++)
            assert.equal((await clients[0].request('ping', {})).type, 'pong');
        await Promise.all(clients.map(client => client.close()));
        await gateway.stop();
        const { status, line } = checkConfig([], { RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: '120,ping=x' });
        assert.equal(status, 2);
        assert.match(line, /^moonx-gateway: RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: "120,ping=x": /);
    });
});

test('a type of message that the operator denies is refused by its code, and taken again after a reload', async () => {
    const file = join(directory, 'denied');
    writeFileSync(file, 'MESSAGES_DENIED=get_rooms, typing\n');
    const denying = await startGateway({ dev: true, env: { JWT_SECRET: SECRET, CONFIG_FILE: file } });
    try {
        const client = await signedIn(denying);
        const { type, data } = await client.request('get_rooms', {});
        assert.deepEqual([type, data.code], ['error', 'MIDDLEWARE_REJECTED']);
        assert.equal((await client.request('ping', {})).type, 'pong');
        assert.equal(await denying.metric('messages_denied_total'), 1);
        writeFileSync(file, '');
        denying.signal('SIGHUP');
        await until('it to be taken', async () => (await client.request('get_rooms', {})).type === 'rooms');
        await client.close();
    } finally {
        await denying.stop();
    }
});
