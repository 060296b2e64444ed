// Redis, real, and in every state in which it is of no use: gone, stopped, slow, locked, read-only, full, or not Redis
// at all. Whatever it does, clients are served.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { root, SECRET, signedIn, startGateway, until } from './harness.mjs';
import { startRedis } from './redis_server.mjs';

const TIMEOUT_MS = 500;
const start = (env, more) => startGateway({ dev: true, ...more, env: { REDIS_TIMEOUT: String(TIMEOUT_MS), ...env } });
const redisIs = (gateway, state) =>
    until(`redis ${state}`, async () => (await gateway.health()).services.redis === state);

// A client has its answers at once: none waits for Redis.
async function serves(gateway, what) {
    const client = await signedIn(gateway, { token: gateway.token });
    const begin = performance.now();
    for (let i = 0; i < 20; i++)
        assert.equal((await client.request('ping', {})).type, 'pong', what);
    assert.ok(performance.now() - begin < 20 * TIMEOUT_MS / 2, `${what}: 20 pings took ${performance.now() - begin} ms`);
    await client.close();
}

async function started(env, more) {
    const gateway = await start(env, more);
    try {
        [, gateway.token] = await gateway.printed(/MOONX_TOKEN=(\S+)/);
    } catch (error) {
        await gateway.stop(); // nobody else could: what stays alive keeps the file from ending
        throw error;
    }
    return gateway;
}

describe('a gateway with Redis', () => {
    let redis, gateway;
    before(async () => {
        redis = await startRedis();
        gateway = await started({ REDIS_URL: redis.url }, { workers: 2 });
    });
    after(async () => {
        await gateway?.stop();
        await redis?.stop();
    });

    test('says in /health that it is there', async () => {
        await redisIs(gateway, true);
        assert.equal((await gateway.health()).status, 'healthy');
        await until('each worker to have reached it', async () => await gateway.metric('redis_up') === 2);
    });

    test('is degraded, and serves, while Redis is stopped in mid-run, and finds it again', async () => {
        await redisIs(gateway, true);
        redis.signal('SIGSTOP');
        await redisIs(gateway, false);
        const health = await gateway.health();
        assert.deepEqual([health.status, health.components.RateLimiter.status], ['degraded', 'degraded']);
        assert.equal((await gateway.get('/health')).status, 200);
        await serves(gateway, 'Redis stopped');
        redis.signal('SIGCONT');
        await redisIs(gateway, true);
    });

    test('the same when Redis answers too late', async () => {
        await redisIs(gateway, true);
        const sleep = redis.command('DEBUG', 'SLEEP', '4');
        await redisIs(gateway, false);
        await serves(gateway, 'Redis slow');
        await sleep;
        await redisIs(gateway, true);
        await redis.command('CLIENT', 'PAUSE', '4000', 'WRITE');
        await redisIs(gateway, false);
        await redisIs(gateway, true);
    });

    test('the same when it is killed, and when it comes back as a replica, full, or loading', async () => {
        await redisIs(gateway, true);
        const { port } = redis;
        await redis.stop();
        await redisIs(gateway, false);
        await serves(gateway, 'Redis killed');
        redis = await startRedis({ port });
        await redisIs(gateway, true);
        await redis.command('CONFIG', 'SET', 'maxmemory', '1');
        await redisIs(gateway, false);
        await redis.command('CONFIG', 'SET', 'maxmemory', '0');
        await redisIs(gateway, true);
        await redis.command('REPLICAOF', '127.0.0.1', '1');
        await redisIs(gateway, false);
        await serves(gateway, 'Redis read-only');
        await redis.command('REPLICAOF', 'NO', 'ONE');
        await redisIs(gateway, true);
        await gateway.printed(/Redis at 127\.0\.0\.1:\d+ is not to be had: READONLY/);
        await gateway.printed(/Redis at 127\.0\.0\.1:\d+ is not to be had: OOM/);
    });
});

describe('limits over two gateways', () => {
    let redis;
    const gateways = [];
    const limits = { RATE_LIMIT_ENABLED: 'true', JWT_SECRET: SECRET };
    const config = join(mkdtempSync(join(tmpdir(), 'moonx-redis-')), 'config');
    const say = async (client, times, type = 'ping', data = {}) => {
        let accepted = 0;
        for (let i = 0; i < times; i++)
            accepted += (await client.request(type, data)).type !== 'error';
        return accepted;
    };
    const use = (...kind) => redis.command('GET', `moonx:ws:ratelimit:${kind.join(':')}`);
    const everywhere = user => Promise.all(gateways.map(gateway => signedIn(gateway, { user })));

    before(async () => {
        redis = await startRedis();
        writeFileSync(config, 'REDIS_TIMEOUT=2000\n'); // nobody is slow here, but the machine
        for (let i = 0; i < 2; i++) {
            gateways.push(await startGateway({ dev: true, workers: 2, env: { ...limits, CONFIG_FILE: config, REDIS_URL: redis.url,
                RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: '40,subscribe=5', RATE_LIMIT_MAX_BYTES_PER_MINUTE: '60000' } }));
            await redisIs(gateways[i], true);
        }
    });
    after(async () => {
        await Promise.all(gateways.map(gateway => gateway.stop()));
        await redis?.stop();
    });

    test('what a user has used on one counts on the other, and less than a command a message is sent for it', async () => {
        const [here, there] = await everywhere('ann');
        const calls = async () => Number((await redis.command('INFO', 'commandstats')).match(/cmdstat_eval:calls=(\d+)/)?.[1] ?? 0);
        const before = await calls();
        assert.equal(await say(here, 39), 39);
        await until('Redis to know', async () => await use('messages', 'ann'));
        const accepted = await until('the other gateway to refuse', async () => {
            const answer = await there.request('ping', {});
            return answer.type === 'error' && answer;
        });
        assert.equal(accepted.data.code, 'RATE_LIMIT_EXCEEDED');
        const pongs = there.all('pong').length;
        assert.ok(pongs <= 30, `${pongs} more were accepted there`);
        assert.ok(await calls() - before < 39, 'batched');
        assert.ok(await redis.command('PTTL', 'moonx:ws:ratelimit:messages:ann') > 30_000);
        await Promise.all([here.close(), there.close()]);
    });

    test('types and bytes are shared as well', async () => {
        const [here, there] = await everywhere('bob');
        assert.equal(await say(here, 6, 'subscribe', { channel: 'prices' }), 5);
        await until('Redis to know', () => use('type', 'subscribe', 'bob'));
        await there.request('subscribe', { channel: 'prices' }); // the first here may pass; it makes this host ask
        await until('the other gateway to refuse', async () => (await say(there, 1, 'subscribe', { channel: 'prices' })) === 0);
        const [carl, carlThere] = await everywhere('carl');
        const big = { pad: 'x'.repeat(29_000) };
        assert.equal(await say(carl, 3, 'ping', big), 2);
        await until('Redis to know', () => use('bytes', 'carl'));
        await carlThere.request('ping', big);
        await until('the other gateway to refuse', async () => (await say(carlThere, 1, 'ping', big)) === 0);
        await Promise.all([here, there, carl, carlThere].map(client => client.close()));
    });

    test('deleting the keys resets the limit on the gateway that has counted, too', async () => {
        const [here] = await everywhere('dora');
        // One at a time: fifty refusals would close the connection.
        await until('it to refuse', async () => await say(here, 1) === 0);
        await until('Redis to know', () => use('messages', 'dora'));
        await redis.command('DEL', 'moonx:ws:ratelimit:messages:dora');
        await say(here, 1);
        await until('Redis to be told again', () => use('messages', 'dora')); // the answer to that resets the limit
        await until('twenty in a row, of which a minute allows forty', async () => await say(here, 1) === 1 && await say(here, 19) === 19);
        await here.close();
    });

    test('Redis stopped, a host holds its limit by itself; a value that is no number counts as none', async () => {
        const [here] = await everywhere('emil');
        await redis.command('SET', 'moonx:ws:ratelimit:messages:emil', 'rubbish');
        redis.signal('SIGSTOP');
        try {
            await redisIs(gateways[0], false);
            const begin = performance.now();
            const accepted = await say(here, 45);
            const earned = Math.ceil((performance.now() - begin) * 40 / 60_000);
            assert.ok(accepted >= 40 && accepted <= 41 + earned, `${accepted} accepted, of which ${earned} may be earned`);
        } finally {
            redis.signal('SIGCONT');
        }
        await redisIs(gateways[0], true);
        await until('a number', async () => {
            await say(here, 1);
            return /^\d+$/.test(await use('messages', 'emil'));
        });
        await here.close();
    });

    test('SIGHUP keeps the connection when nothing about Redis has changed, and tells what was not told yet', async () => {
        const [here, there] = await everywhere('gus');
        const failures = await gateways[0].metric('redis_failures_total');
        const reloads = () => gateways[0].output.match(/reloaded;/g)?.length ?? 0;
        const [before, clients] = [reloads(), async () => Number((await redis.command('INFO', 'stats')).match(/total_connections_received:(\d+)/)[1])];
        const connections = await clients();
        writeFileSync(config, 'REDIS_TIMEOUT=2000\nWS_MAX_SUBSCRIPTIONS=90\n');
        assert.equal(await say(here, 40), 40);
        gateways[0].signal('SIGHUP');
        let seen = 0;
        await until('both workers to reload', async () => {
            const { services } = await gateways[0].health();
            assert.equal(services.redis, true, 'never absent');
            seen++;
            return reloads() >= before + 2;
        });
        await until('the other gateway to refuse', async () => (await say(there, 1)) === 0);
        assert.ok(await clients() - connections <= 2, 'only those of this test have connected'); // INFO itself
        assert.equal(await gateways[0].metric('redis_failures_total'), failures);
        assert.ok(await gateways[0].metric('redis_limit_shares_total') > 0);
        assert.ok(seen > 0);
        await Promise.all([here.close(), there.close()]);
    });

    test('SIGHUP connects anew and goes on sharing', async () => {
        writeFileSync(config, 'REDIS_TIMEOUT=2500\n');
        gateways[0].signal('SIGHUP');
        await gateways[0].printed(/worker-0 +reloaded.*[^]*worker-1 +reloaded|worker-1 +reloaded.*[^]*worker-0 +reloaded/);
        await redisIs(gateways[0], true);
        const [here, there] = await everywhere('fay');
        await say(here, 39);
        await until('the other gateway to refuse', async () => (await say(there, 1)) === 0);
        await Promise.all([here.close(), there.close()]);
    });
});

describe('the way to Redis', () => {
    test('a password, by URL, variable, file or not at all; it is in no log', async () => {
        const redis = await startRedis({ args: ['--requirepass', 'open sesame:%/'] });
        const file = join(mkdtempSync(join(tmpdir(), 'moonx-redis-')), 'password');
        writeFileSync(file, 'open sesame:%/\n', { mode: 0o600 });
        const ways = [
            [true, { REDIS_URL: `redis://:open%20sesame%3a%25%2F@127.0.0.1:${redis.port}/3` }],
            [true, { REDIS_URL: `redis://default:open%20sesame%3a%25%2F@localhost:${redis.port}` }],
            [true, { REDIS_URL: redis.url, REDIS_PASSWORD: 'open sesame:%/' }],
            [true, { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), REDIS_PASSWORD_FILE: file }],
            [true, { REDIS_HOST: redis.socket, REDIS_PASSWORD_FILE: file }],
            [true, { REDIS_URL: `unix://${redis.socket}`, REDIS_PASSWORD: 'open sesame:%/' }],
            [false, { REDIS_URL: `redis://:sesame@127.0.0.1:${redis.port}` }],
            [false, { REDIS_URL: redis.url }],
        ];
        for (const [good, env] of ways) {
            const gateway = await started(env);
            await redisIs(gateway, good);
            await serves(gateway, JSON.stringify(env));
            if (!good)
                await gateway.printed(env.REDIS_URL.includes('sesame') ? /not to be had: WRONGPASS/ : /not to be had: NOAUTH/);
            assert.ok(!gateway.output.includes('sesame'));
            await gateway.stop();
        }
        await redis.stop();
    });

    test('a new password in the file counts after SIGHUP', async () => {
        const redis = await startRedis({ args: ['--requirepass', 'first'] });
        const file = join(mkdtempSync(join(tmpdir(), 'moonx-redis-')), 'password');
        writeFileSync(file, 'second');
        const gateway = await started({ REDIS_URL: redis.url, REDIS_PASSWORD_FILE: file });
        await redisIs(gateway, false);
        writeFileSync(file, 'first');
        gateway.signal('SIGHUP');
        await redisIs(gateway, true);
        await gateway.stop();
        await redis.stop();
    });

    const rubbish = {
        'says more than it was asked': '+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n',
        'speaks another protocol': 'HTTP/1.1 400 Bad Request\r\n\r\n',
        'announces a huge string': '$2147483647\r\n',
        'announces a huge array': '*2147483647\r\n',
        'nests without end': '*1\r\n'.repeat(100_000),
        'announces a negative string': '$-9999999999999999999\r\n',
        'says nothing': '',
        'hangs up': null,
    };
    for (const [what, bytes] of Object.entries(rubbish))
        test(`somebody on that port who ${what} counts as down`, async () => {
            const sockets = new Set();
            const server = createServer(socket => {
                sockets.add(socket.on('error', () => {}));
                socket.on('data', () => (bytes === null ? socket.destroy() : socket.write(bytes)));
            });
            await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
            const gateway = await started({ REDIS_URL: `redis://127.0.0.1:${server.address().port}` });
            const { workers } = gateway.pids();
            await until('three attempts', () => sockets.size >= 3);
            await redisIs(gateway, false);
            await serves(gateway, what);
            assert.deepEqual(gateway.pids().workers, workers, 'no worker has died of it');
            await gateway.printed(/is not to be had/);
            if (what !== 'says more than it was asked') // up to the surplus it has answered rightly
                assert.equal(gateway.output.match(/is not to be had/g).length, 1, 'said once');
            await gateway.stop();
            sockets.forEach(socket => socket.destroy());
            await new Promise(resolve => server.close(resolve));
        });

    test('what is wrong with it is one line, without the password', () => {
        const wrong = [
            [{ REDIS_URL: 'rediss://127.0.0.1' }, /^moonx-gateway: REDIS_URL \(--redis\): rediss:\/\/ \(TLS\) is not spoken here/],
            [{ REDIS_URL: 'http://:geheim@127.0.0.1' }, /REDIS_URL \(--redis\): is neither redis:/],
            [{ REDIS_URL: 'redis://:geheim@' }, /names no host/],
            [{ REDIS_URL: 'redis://:geheim@x:0' }, /a port that is no number/],
            [{ REDIS_URL: 'redis://x', REDIS_HOST: 'y' }, /set beside REDIS_HOST/],
            [{ REDIS_URL: 'redis://:geheim@x', REDIS_PASSWORD: 'geheim' }, /the password is given twice/],
            [{ REDIS_HOST: 'x', REDIS_PASSWORD_FILE: '/nowhere' }, /REDIS_PASSWORD_FILE: .*No such file/],
            [{ RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: '120,sbscribe=3' },
                /RATE_LIMIT_MAX_MESSAGES_PER_MINUTE: "sbscribe" is no type of message/],
            [{}, /--redis: a secret can't be a flag/, ['--redis', 'redis://:geheim@127.0.0.1']],
        ];
        for (const [env, line, args = []] of wrong) {
            const { status, stderr } = spawnSync(join(root, 'build/moonx-gateway'), ['--dev', '--check-config', ...args],
                { env: { PATH: process.env.PATH, ...env }, encoding: 'utf8', cwd: root });
            assert.equal(status, 2, stderr);
            assert.match(stderr, line);
            assert.equal(stderr.trim().split('\n').length, 1);
            assert.ok(!stderr.includes('geheim'));
        }
    });
});
