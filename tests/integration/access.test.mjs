// Who gets in and what he may do there: the rooms table, origins, addresses and proxies, administrators, limits.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import http from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { root, SECRET, signedIn, startGateway } from './harness.mjs';

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
        encoding: 'utf8', cwd: root, timeout: 20_000,
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
        assert.equal(await gateway.metric('refused_address_total'), 3);
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
