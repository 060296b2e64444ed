// Connections per address and per user over two gateways: what each has is told by Redis.
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connectClient, mintToken, SECRET, signalTo, signedIn, startGateway, until } from './harness.mjs';
import { startRedis } from './redis_server.mjs';

const key = (kind, name) => `moonx:ws:ratelimit:connections:${kind}:${name}`;

// The status of a handshake from this address; 101: it stays open.
function handshake(gateway, from) {
    return new Promise((resolve, reject) => {
        const asked = request({ port: gateway.port, host: '127.0.0.1', path: '/ws', agent: false, headers: {
            Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
            'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'X-Forwarded-For': from } });
        asked.on('upgrade', ({ statusCode }, socket) => resolve({ status: statusCode, socket: socket.on('error', () => {}).resume() }));
        asked.on('response', answer => resolve({ status: answer.statusCode, socket: answer.resume().socket }));
        asked.on('error', reject).end();
    });
}

// Whether the user may have one connection more; it is closed again.
async function mayCome(gateway, user) {
    const client = await connectClient(gateway);
    await client.next('auth_required');
    client.send('authenticate', { token: mintToken({ sub: user }) });
    const answer = await client.next(({ type }) => type === 'auth_success' || type === 'error');
    if (answer.type === 'error')
        assert.deepEqual(await client.closes(), { code: 1008, reason: 'Too many connections' });
    else
        await client.close();
    return answer.type === 'auth_success';
}

describe('connections over two gateways', () => {
    let redis;
    const gateways = [];
    const config = join(mkdtempSync(join(tmpdir(), 'moonx-connections-')), 'config');
    const isUp = (gateway, state) => until(`redis ${state}`, async () => (await gateway.health()).services.redis === state);
    const start = (id, more = {}) => startGateway({ dev: true, workers: 2, env: { JWT_SECRET: SECRET, RATE_LIMIT_ENABLED: 'true',
        TRUSTED_PROXIES: '127.0.0.1', RATE_LIMIT_MAX_CONNECTIONS_PER_USER: '3', RATE_LIMIT_MAX_CONNECTIONS_PER_IP: '20',
        REDIS_URL: redis.url, REDIS_TIMEOUT: '2000', REDIS_EXPIRY: '6000', INSTANCE_ID: id, ...more } });
    before(async () => {
        redis = await startRedis();
        writeFileSync(config, 'WS_MAX_SUBSCRIPTIONS=90\n');
        gateways.push(await start('host-a', { CONFIG_FILE: config }), await start('host-b'));
        await Promise.all(gateways.map(gateway => isUp(gateway, true)));
    });
    after(async () => {
        await Promise.all(gateways.map(gateway => gateway.stop()));
        await redis?.stop();
    });

    test('a user who has them all here gets none there, until one of them goes', async () => {
        const clients = [];
        for (let i = 0; i < 3; i++)
            clients.push(await signedIn(gateways[0], { user: 'ann' }));
        await until('Redis to know', async () => (await redis.command('HGET', key('user', 'ann'), 'host-a'))?.startsWith('3:'));
        await until('the other gateway to refuse', async () => !(await mayCome(gateways[1], 'ann')));
        assert.equal(await mayCome(gateways[1], 'bob'), true);
        await clients.pop().close();
        await until('a place there', () => mayCome(gateways[1], 'ann'));
        await Promise.all(clients.map(client => client.close()));
        await until('the key to go', async () => (await redis.command('EXISTS', key('user', 'ann'))) === 0);
    });

    test('an address likewise, an IPv6 one by its /64', async () => {
        for (const [from, name] of [['192.0.2.7', '192.0.2.7'], ['2001:db8:1:2:3::4', '2001:db8:1:2::']]) {
            const sockets = [];
            for (let i = 0; i < 20; i++)
                sockets.push(await handshake(gateways[0], from));
            assert.ok(sockets.every(({ status }) => status === 101));
            await until('Redis to know', async () => (await redis.command('HGET', key('address', name), 'host-a'))?.startsWith('20:'));
            await until('the other gateway to refuse', async () => {
                const { status, socket } = await handshake(gateways[1], from);
                socket.destroy();
                return status === 429;
            });
            sockets.forEach(({ socket }) => socket.destroy());
            await until('the key to go', async () => (await redis.command('EXISTS', key('address', name))) === 0);
        }
    });

    test('idle connections go on counting, also over a reload; a deleted key means none elsewhere until they are told again', async () => {
        const clients = [];
        for (let i = 0; i < 3; i++)
            clients.push(await signedIn(gateways[0], { user: 'carl' }));
        const told = async () => Number((await redis.command('HGET', key('user', 'carl'), 'host-a'))?.split(':')[1] ?? 0);
        const first = await until('Redis to know', told);
        writeFileSync(config, 'WS_MAX_SUBSCRIPTIONS=91\n');
        gateways[0].signal('SIGHUP');
        await gateways[0].printed(/reloaded;[^]*reloaded;/);
        await until('it is told again', async () => (await told()) > first + 6_000);
        await until('the other gateway to refuse', async () => !(await mayCome(gateways[1], 'carl')));
        await until('a place', async () => {
            await redis.command('DEL', key('user', 'carl')); // again, if it has been told again in between
            return mayCome(gateways[1], 'carl');
        });
        await until('it is told again', told);
        await until('the other gateway to refuse again', async () => !(await mayCome(gateways[1], 'carl')));
        await Promise.all(clients.map(client => client.close()));
    });

    test('Redis stopped, each holds its own count alone; rubbish under a key counts as none', async () => {
        await redis.command('SET', key('user', 'dora'), 'rubbish');
        const clients = [];
        for (let i = 0; i < 3; i++)
            clients.push(await signedIn(gateways[0], { user: 'dora' }));
        await until('the other gateway to refuse', async () => !(await mayCome(gateways[1], 'dora')));
        redis.signal('SIGSTOP');
        try {
            await until('nobody to reach it', async () => (await Promise.all(gateways.map(gateway => gateway.metric('redis_up')))).every(up => up === 0));
            assert.equal(await mayCome(gateways[1], 'dora'), true);
            assert.equal(await mayCome(gateways[0], 'dora'), false);
        } finally {
            redis.signal('SIGCONT');
        }
        await Promise.all(gateways.map(gateway => isUp(gateway, true)));
        await until('the other gateway to refuse again', async () => !(await mayCome(gateways[1], 'dora')));
        await Promise.all(clients.map(client => client.close()));
    });

    test('what a killed host had runs out', async () => {
        const third = await start('host-c');
        await isUp(third, true);
        for (let i = 0; i < 3; i++)
            await signedIn(third, { user: 'eve' });
        await until('the other gateway to refuse', async () => !(await mayCome(gateways[1], 'eve')));
        const { supervisor, ingest, workers } = third.pids();
        [supervisor, ...workers, ingest].forEach(pid => signalTo(pid, 'SIGKILL'));
        await until('places again', () => mayCome(gateways[1], 'eve'));
    });
});
