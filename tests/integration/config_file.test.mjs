// CONFIG_FILE: options that SIGHUP reads again. They take effect in every process without a disconnect; those that can't
// are named; what is wrong changes nothing.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connectClient, mintToken, SECRET, signedIn, startGateway, until } from './harness.mjs';

const WORKERS = 2;
const folder = mkdtempSync(join(tmpdir(), 'moonx-config-'));
const path = join(folder, 'gateway.env');
const lines = values => Object.entries(values).map(([name, value]) => `${name}=${value}\n`).join('');
const write = values => writeFileSync(path, typeof values === 'string' ? values : lines(values));
const FIRST = { JWT_SECRET: SECRET, AUTO_JOIN_ROOMS: 'prices', WS_MAX_SUBSCRIPTIONS: 1, RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: 100000 };

let gateway;
before(async () => {
    write(FIRST);
    gateway = await startGateway({ dev: true, workers: WORKERS, args: ['--config', path], env: { RATE_LIMIT_ENABLED: 'true' } });
});
after(async () => {
    await gateway?.stop();
    rmSync(folder, { recursive: true, force: true });
});

const times = pattern => [...gateway.output.matchAll(pattern)].length;

// Until every worker has said so, or the supervisor that it refuses.
async function reload(values, expected = /worker-\d\b.*reloaded; /g, often = WORKERS) {
    const before = times(expected);
    write(values);
    gateway.signal('SIGHUP');
    await until('the reload', () => times(expected) >= before + often);
}

function status(headers) {
    return new Promise((resolve, reject) => {
        const socket = connect(gateway.port, '127.0.0.1', () => socket.write(['GET /ws HTTP/1.1', 'Host: gateway', 'Upgrade: websocket',
            'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...headers, '', ''].join('\r\n')));
        socket.once('data', data => {
            resolve(Number(data.toString().split(' ')[1]));
            socket.destroy();
        }).once('error', reject);
    });
}

// On every worker: connections are spread by the kernel, so that some tries reach all.
async function everywhere(expected, headers) {
    for (let i = 0; i < 16; i++)
        assert.equal(await status(headers), expected);
}

test('origins, lists, limits, rooms and the query token change in all workers; who is connected stays', async () => {
    const settled = await Promise.all(Array.from({ length: 8 }, () => signedIn(gateway)));
    await everywhere(101, ['Origin: https://elsewhere.example']);
    await everywhere(101, ['X-Forwarded-For: 203.0.113.5']);
    await reload({ ...FIRST, ALLOWED_ORIGINS: 'https://app.example', ADDRESS_DENY: '203.0.113.0/24', TRUSTED_PROXIES: '127.0.0.0/8',
        AUTO_JOIN_ROOMS: 'prices,trades', WS_QUERY_TOKEN: true, WS_MAX_SUBSCRIPTIONS: 2, LOG_LEVEL: 'debug' });
    await everywhere(403, ['Origin: https://elsewhere.example']);
    await everywhere(101, ['Origin: https://app.example']);
    await everywhere(403, ['X-Forwarded-For: 203.0.113.5']);
    await gateway.printed(/debug\b.*connection opened/);
    const fresh = await connectClient({ url: `${gateway.url}?token=${mintToken({ sub: 'bob' })}` });
    assert.deepEqual((await fresh.next('auto_subscribed')).data.rooms, ['prices', 'trades']);
    for (const client of settled) {
        assert.equal((await client.request('ping', {})).type, 'pong');
        assert.equal(client.ended, undefined);
    }
    await Promise.all([...settled, fresh].map(client => client.close()));
});

test('connections per address: a lower limit counts those that are there, on all workers', async () => {
    const settled = await Promise.all(Array.from({ length: 4 }, () => signedIn(gateway)));
    await reload({ ...FIRST, RATE_LIMIT_MAX_CONNECTIONS_PER_IP: 4 });
    await until('others are gone', async () => await gateway.metric('connections') === 4);
    await everywhere(429, []);
    await reload({ ...FIRST, RATE_LIMIT_MAX_CONNECTIONS_PER_IP: 5 });
    const fifth = await signedIn(gateway);
    assert.equal(await status([]), 429);
    await Promise.all([...settled, fifth].map(client => client.close()));
    await reload(FIRST);
});

test('a new secret in the file: its tokens are accepted, the old ones refused', async () => {
    const settled = await signedIn(gateway);
    const secret = 'another-secret-of-at-least-32-bytes!';
    await reload({ ...FIRST, JWT_SECRET: secret });
    const fresh = await signedIn(gateway, { token: mintToken({ sub: 'ann' }, { secret }) });
    const late = await connectClient(gateway);
    await late.next('auth_required');
    late.send('authenticate', { token: mintToken() });
    assert.equal((await late.next('auth_failed')).data.code, 'INVALID_TOKEN');
    assert.equal((await settled.request('ping', {})).type, 'pong');
    assert.ok(!gateway.output.includes(secret), 'a secret is never logged');
    await reload({ ...FIRST, JWT_SECRET: 'cut short' });
    assert.equal(times(/The JWT secret has 9 bytes; HS256 wants at least 32/g), 1, 'a file that was cut is not taken in silence');
    await Promise.all([settled, fresh, late].map(client => client.close()));
    await reload(FIRST);
});

test('what needs a restart is named in one warning, the rest takes effect; a killed worker comes back with both', async () => {
    await reload({ ...FIRST, RING_BYTES: 4194304, WS_DEFLATE: true, DEV_DIRECTORY: '/nowhere', ALLOWED_ORIGINS: 'https://app.example' });
    // RING_BYTES and DEV_DIRECTORY stand in the environment too, which beats the file
    assert.equal(times(/needs a restart to take effect: WS_DEFLATE/g), 1);
    await gateway.kill('worker');
    await gateway.started();
    await everywhere(403, ['Origin: https://elsewhere.example']);
    const client = await connectClient(gateway, { perMessageDeflate: true });
    await client.next('auth_required');
    assert.equal(client.ws.extensions, '');
    await client.close();
});

test('a wrong line is refused with FILE:LINE, and the old configuration stays', async () => {
    const generation = await gateway.metric('config_generation');
    for (const [text, line] of [
        [`${lines(FIRST)}WS_PING_INTERVALL=1\n`, 'gateway.env:5: "WS_PING_INTERVALL" is no option; did you mean WS_PING_INTERVAL?'],
        [`${lines(FIRST)}\nWS_PING_INTERVAL=1\n`, 'gateway.env:6: WS_PING_INTERVAL: "1" is not a whole number of ms from 100 to 3600000'],
        [`${lines(FIRST)}RATE_LIMIT_ENABLED=perhaps\n`, 'gateway.env:5: RATE_LIMIT_ENABLED: "perhaps"'], // the environment's stands in for it
        [`${lines(FIRST)}TRUSTED_PROXIES=10.0.0.0/33\n`, 'TRUSTED_PROXIES: "10.0.0.0/33"'],
        [`${lines(FIRST)}PROXY_PROTOCOL=true\n`, 'PROXY_PROTOCOL: true believes nobody while TRUSTED_PROXIES is empty'],
        [`${lines(FIRST)}ROOMS_FILE=${folder}/none\n`, `ROOMS_FILE: "${folder}/none": cannot be read: No such file or directory`],
    ]) {
        await reload(text, /reload refused/g, 1);
        await until(`the line ${line}`, () => gateway.output.includes(line)); // another process has said it
    }
    assert.match(gateway.output, /error +supervisor +reload refused, the old configuration stays: .*WS_PING_INTERVALL/, 'one line of the log');
    await everywhere(403, ['Origin: https://elsewhere.example']);
    assert.equal(await gateway.metric('config_generation'), generation);
    assert.ok(!gateway.output.includes(SECRET), 'a secret is never logged');
});

test('ingest is replaced when its options have changed, and only then', async () => {
    const { ingest } = gateway.pids();
    const before = await gateway.metric('config_generation');
    const mine = { PORT: 1, AUTO_JOIN_ROOMS: 'trades', RING_BYTES: 1048576 }; // some for a restart, some the workers'
    await reload({ ...FIRST, ...mine, WS_PING_INTERVAL: 20000 });
    assert.equal(gateway.pids().ingest, ingest);
    assert.equal(await gateway.metric('config_generation'), before + WORKERS);
    await reload({ ...FIRST, ...mine, WS_PING_INTERVAL: 20000, KAFKA_CLIENT_ID: 'another' }, /reload: ingest is replaced/g, 1);
    await until('another ingest', () => ![undefined, ingest].includes(gateway.pids().ingest));
    await gateway.started();
    assert.equal(await gateway.metric('config_generation'), before + WORKERS, 'workers have nothing new');
    gateway.signal('SIGHUP');
    await gateway.printed(/reload: nothing has changed/);
});
