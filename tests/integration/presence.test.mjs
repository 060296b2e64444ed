// Who is online: on one host alone, over two gateways by Redis, and what happens when one of them is killed.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { mintToken, SECRET, signalTo, signedIn, startGateway, until } from './harness.mjs';
import { startRedis } from './redis_server.mjs';

const settings = { JWT_SECRET: SECRET, PRESENCE_GRACE: '300', REDIS_TIMEOUT: '2000', REDIS_EXPIRY: '6000' };
const start = env => startGateway({ dev: true, workers: 2, env: { ...settings, ...env } });
const online = async (client, ...users) => {
    const answer = await client.request('presence', { users });
    assert.equal(answer.type, 'presence', answer.raw);
    return answer.data.online;
};
const members = async (client, room) => {
    const answer = await client.request('presence', { room });
    assert.equal(answer.type, 'presence', answer.raw);
    return answer.data;
};
const status = (client, userId) => client.next(message => message.type === 'user_status_changed' && message.data.userId === userId);
const watch = async (client, user) => assert.equal((await client.request('subscribe', { channel: `presence:${user}` })).type, 'subscribed');

describe('one host alone', () => {
    let gateway, asker;
    before(async () => {
        gateway = await start({ WORKERS: '4', PRESENCE_GRACE: '3000' }); // in which a client that has left can come back
        asker = await signedIn(gateway, { user: 'asker' });
    });
    after(() => gateway?.stop());

    test('knows who is on any of its workers', async () => {
        const users = Array.from({ length: 12 }, (_, i) => `user-${i}`);
        const clients = await Promise.all(users.map(user => signedIn(gateway, { user })));
        const answer = await online(asker, ...users, 'nobody', 'User-1', 'asker', 'user-3');
        assert.deepEqual(answer, { ...Object.fromEntries(users.map(user => [user, true])), nobody: false, 'User-1': false, asker: true });
        await Promise.all(clients.map(client => client.close()));
        await until('all to be gone', async () => !Object.values(await online(asker, ...users)).some(Boolean));
    });

    test('forgets those of a worker that was killed', async () => {
        const clients = await Promise.all(Array.from({ length: 12 }, (_, i) => signedIn(gateway, { user: `victim-${i}` })));
        for (const worker of gateway.pids().workers)
            await gateway.kill('worker', worker);
        await Promise.all(clients.map(client => client.closes()));
        asker = await signedIn(gateway, { user: 'asker' });
        const users = clients.map((_, i) => `victim-${i}`);
        await until('all to be gone', async () => !Object.values(await online(asker, ...users)).some(Boolean));
    });

    test('tells who watches of the first connection and the last, and not of one that comes back', async () => {
        await watch(asker, 'mia');
        const first = await signedIn(gateway, { user: 'mia' });
        assert.deepEqual((await status(asker, 'mia')).data, { userId: 'mia', status: 'online' });
        const second = await signedIn(gateway, { user: 'mia' });
        await first.close();
        await second.close();
        const third = await signedIn(gateway, { user: 'mia' });
        await third.close();
        await asker.next(({ type, data }) => type === 'user_status_changed' && data.status === 'offline');
        const next = await signedIn(gateway, { user: 'mia' });
        await asker.next(({ type, data }) => type === 'user_status_changed' && data.status === 'online');
        assert.deepEqual(asker.all('user_status_changed').map(({ data }) => data.status), ['online', 'offline', 'online']);
        await next.close();
    });

    test('knows who is in a room, on any of its workers, each once', async () => {
        const users = Array.from({ length: 9 }, (_, i) => `member-${i}`);
        const clients = await Promise.all([...users, 'member-0', 'member-3', 'outsider'].map(user => signedIn(gateway, { user })));
        await Promise.all(clients.slice(0, -1).map(client => client.request('subscribe', { channel: 'chat:den' })));
        assert.deepEqual(await members(asker, 'chat:den'), { room: 'chat:den', count: 9, exact: true, users });
        assert.deepEqual(await members(clients[0], 'user:member-0'), { room: 'user:member-0', count: 1, exact: true, users: ['member-0'] });
        await clients[0].request('unsubscribe', { channel: 'chat:den' });
        assert.equal((await members(asker, 'chat:den')).count, 9, 'another socket of his is there');
        await Promise.all(clients.slice(1).map(client => client.close()));
        await until('all to have left', async () => (await members(asker, 'chat:den')).count === 0);
        await clients[0].close();
    });

    test('answers many questions about rooms at once, each after what was joined before it', async () => {
        const rooms = Array.from({ length: 90 }, (_, i) => `chat:many-${i}`);
        for (const [i, room] of rooms.entries()) {
            asker.send('subscribe', { channel: room });
            asker.send('presence', { room }, { id: `p${i}` });
        }
        for (const [i, room] of rooms.entries()) {
            const { data } = await asker.next(message => message.ref === `p${i}`);
            assert.deepEqual(data, { room, count: 1, exact: true, users: ['asker'] });
        }
        for (const room of rooms)
            await asker.request('unsubscribe', { channel: room });
    });

    test('workers that ask each other at the same moment do not wait for each other', async () => {
        const clients = await Promise.all(Array.from({ length: 12 }, (_, i) => signedIn(gateway, { user: `peer-${i}` })));
        const ROUNDS = 5, UNANSWERED_MS = 2_000; // as long as a question waits that nobody answers
        const started = performance.now();
        for (let round = 0; round < ROUNDS; round++) {
            const answers = await Promise.all(clients.map((client, i) => members(client, `chat:round-${round}-${i}`)));
            assert.ok(answers.every(answer => answer.exact && answer.count === 0), JSON.stringify(answers));
        }
        assert.ok(performance.now() - started < ROUNDS * UNANSWERED_MS, `${performance.now() - started} ms`);
        await Promise.all(clients.map(client => client.close()));
    });

    test('counts more members than it lists', async () => {
        const clients = await Promise.all(Array.from({ length: 300 }, (_, i) => signedIn(gateway, { user: `crowd-${i}` })));
        await Promise.all(clients.map(client => client.request('subscribe', { channel: 'chat:crowd' })));
        const crowd = await members(asker, 'chat:crowd');
        assert.deepEqual([crowd.count, crowd.exact, crowd.users.length], [300, false, 256]);
        await Promise.all(clients.map(client => client.close()));
    });

    test('tells about a room to who may join it only', async () => {
        const refused = { 'orders:mia': 'PERMISSION_DENIED', 'role:admin': 'PERMISSION_DENIED', nowhere: 'UNKNOWN_CHANNEL', 'chat:a b': 'UNKNOWN_CHANNEL', '': 'UNKNOWN_CHANNEL' };
        for (const [room, code] of Object.entries(refused)) {
            const answer = await asker.request('presence', { room });
            assert.deepEqual([answer.type, answer.data.code], ['error', code], room);
        }
        for (const data of [{ room: 7 }, { room: null }, { room: ['chat:x'] }, { room: 'chat:x', users: ['asker'] }])
            assert.equal((await asker.request('presence', data)).data.code, 'INVALID_MESSAGE', JSON.stringify(data));
    });

    test('refuses what is no list of users, and too many', async () => {
        const wrong = [undefined, {}, { users: [] }, { users: 'x' }, { users: [1] }, { users: ['a b'] }, { users: [''] }, { users: ['x'.repeat(200)] },
            { users: Array.from({ length: 101 }, (_, i) => `u${i}`) }];
        for (const data of wrong) {
            const { type, data: { code } } = await asker.request('presence', data);
            assert.deepEqual([type, code], ['error', 'INVALID_MESSAGE'], JSON.stringify(data));
        }
        assert.equal(Object.keys(await online(asker, ...Array.from({ length: 100 }, (_, i) => `u${i}`))).length, 100);
    });

    test('/instances is this host', async () => {
        const { complete, instances } = await (await gateway.get('/instances')).json();
        assert.equal(complete, true);
        assert.equal(instances.length, 1);
        assert.deepEqual([instances[0].status, instances[0].connections, instances[0].workers], ['ready', 1, 4]);
    });
});

test('who may not join presence:USER does not learn about the user', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moonx-presence-')), file = join(folder, 'rooms');
    writeFileSync(file, 'presence:friend user none\nprices user none\n');
    const gateway = await start({ ROOMS_FILE: file, AUTO_JOIN_ROOMS: 'prices' });
    const asker = await signedIn(gateway, { user: 'asker' });
    assert.deepEqual(await online(asker, 'friend', 'asker'), { friend: false, asker: true });
    assert.equal((await asker.request('presence', { users: ['friend', 'stranger'] })).data.code, 'PERMISSION_DENIED');
    await gateway.stop();
    rmSync(folder, { recursive: true });
});

describe('two gateways and Redis', () => {
    let redis, kafka;
    const gateways = [];
    const key = name => `moonx:ws:${name}`;
    const isUp = (gateway, state) => until(`redis ${state}`, async () => (await gateway.health()).services.redis === state);
    before(async () => {
        redis = await startRedis();
        gateways.push(await start({ REDIS_URL: redis.url, INSTANCE_ID: 'host-a' }));
        const [, bootstrap] = await gateways[0].printed(/development broker at (\S+)/);
        gateways.push(await startGateway({ workers: 2, kafka: bootstrap, env: { ...settings, REDIS_URL: redis.url, INSTANCE_ID: 'host-b' } }));
        await Promise.all(gateways.map(gateway => isUp(gateway, true)));
    });
    after(async () => {
        await Promise.all(gateways.map(gateway => gateway.stop()));
        await redis?.stop();
    });

    test('each knows who is on the other, and Redis has the keys', async () => {
        const asker = await signedIn(gateways[0], { user: 'asker' });
        const bob = await signedIn(gateways[1], { user: 'bob' });
        await until('bob to be seen', async () => (await online(asker, 'bob')).bob);
        const [socket] = await redis.command('ZRANGE', key('user:bob:sockets'), 0, -1);
        assert.deepEqual(JSON.parse(await redis.command('GET', key(`socket:${socket}`))), { userId: 'bob', instance: 'host-b' });
        assert.ok(await redis.command('ZSCORE', key('online'), 'bob'));
        for (const name of [`socket:${socket}`, 'user:bob:sockets'])
            assert.ok(await redis.command('PTTL', key(name)) > 0, 'it expires');
        const refreshed = await redis.command('ZSCORE', key('online'), 'bob');
        await until('a refresh', async () => Number(await redis.command('ZSCORE', key('online'), 'bob')) > Number(refreshed));
        await bob.close();
        await until('bob to be gone', async () => !(await online(asker, 'bob')).bob);
        await until('no keys of his', async () => (await redis.command('EXISTS', key(`socket:${socket}`), key('user:bob:sockets'))) === 0);
        await until('not online', async () => (await redis.command('ZSCORE', key('online'), 'bob')) === null);
        await asker.close();
    });

    test('who is in a room of both, each user once', async () => {
        const clients = await Promise.all([0, 1, 0, 1].map((i, n) => signedIn(gateways[i], { user: ['ann', 'ben', 'cyd', 'ann'][n], channels: ['chat:both'] })));
        const answers = await Promise.all(clients.map(client => members(client, 'chat:both')));
        for (const answer of answers)
            assert.deepEqual(answer, { room: 'chat:both', count: 3, exact: true, users: ['ann', 'ben', 'cyd'] });
        await clients[3].close();
        assert.deepEqual((await members(clients[1], 'chat:both')).users, ['ann', 'ben', 'cyd']);
        await clients[0].close();
        assert.deepEqual((await members(clients[1], 'chat:both')).users, ['ben', 'cyd']);
        await Promise.all(clients.slice(1, 3).map(client => client.close()));
        await until('no question left in Redis', async () => (await redis.command('KEYS', key('rooms:answer:*'))).length === 0);
    });

    test('a host that stands still is missed in the count, and said to be', async () => {
        const [here, there] = await Promise.all(gateways.map((gateway, i) => signedIn(gateway, { user: `still-${i}`, channels: ['chat:still'] })));
        assert.equal((await members(here, 'chat:still')).count, 2);
        const workers = gateways[1].pids().workers;
        workers.forEach(pid => process.kill(pid, 'SIGSTOP'));
        try {
            assert.deepEqual(await members(here, 'chat:still'), { room: 'chat:still', count: 1, exact: false, users: ['still-0'] });
        } finally {
            workers.forEach(pid => process.kill(pid, 'SIGCONT'));
        }
        await until('it to answer again', async () => (await members(here, 'chat:still')).exact);
        await Promise.all([here.close(), there.close()]);
    });

    test('one change is told once, to watchers on both, also when the user has moved from one to the other', async () => {
        const watchers = await Promise.all(gateways.map((gateway, i) => signedIn(gateway, { user: `watcher-${i}` })));
        await Promise.all(watchers.map(watcher => watch(watcher, 'eve')));
        const here = await signedIn(gateways[0], { user: 'eve' });
        await Promise.all(watchers.map(watcher => status(watcher, 'eve')));
        const there = await signedIn(gateways[1], { user: 'eve' });
        await until('both connections', async () => (await redis.command('ZCARD', key('user:eve:sockets'))) === 2);
        await here.close();
        await until('one connection', async () => (await redis.command('ZCARD', key('user:eve:sockets'))) === 1);
        await there.close();
        await Promise.all(watchers.map(watcher => watcher.next(({ type, data }) => type === 'user_status_changed' && data.status === 'offline')));
        for (const watcher of watchers)
            assert.deepEqual(watcher.all('user_status_changed').map(({ data }) => data.status), ['online', 'offline']);
        await Promise.all(watchers.map(watcher => watcher.close()));
    });

    test('/instances lists both, least loaded first', async () => {
        const clients = await Promise.all([0, 0, 1].map((i, n) => signedIn(gateways[i], { user: `load-${n}` })));
        const list = async gateway => (await (await gateway.get('/instances')).json());
        await until('both to list both', async () => {
            const answers = await Promise.all(gateways.map(list));
            return answers.every(({ complete, instances }) => complete
                && instances.map(({ instance, connections }) => `${instance} ${connections}`).join() === 'host-b 1,host-a 2');
        });
        assert.deepEqual(await redis.command('ZRANGE', key('instances'), 0, 0), ['host-b']);
        await Promise.all(clients.map(client => client.close()));
    });

    test('Redis away: SERVICE_UNAVAILABLE, this host alone in /instances; back, all is told again', async () => {
        const [asker, fred] = [await signedIn(gateways[0], { user: 'asker' }), await signedIn(gateways[1], { user: 'fred' })];
        await until('fred to be seen', async () => (await online(asker, 'fred')).fred);
        const { port } = redis;
        await redis.stop();
        await isUp(gateways[0], false);
        for (const about of [{ users: ['fred'] }, { room: 'chat:both' }])
            assert.equal((await asker.request('presence', about)).data.code, 'SERVICE_UNAVAILABLE');
        const { complete, instances } = await (await gateways[0].get('/instances')).json();
        assert.deepEqual([complete, instances.map(({ instance }) => instance)], [false, ['host-a']]);
        redis = await startRedis({ port });
        await Promise.all(gateways.map(gateway => isUp(gateway, true)));
        await until('fred to be seen again', async () => (await online(asker, 'fred')).fred);
        await Promise.all([asker.close(), fred.close()]);
    });

    test('what a killed host has said runs out, and its users are told to be offline', async () => {
        const watcher = await signedIn(gateways[1], { user: 'watcher' });
        await watch(watcher, 'gil');
        const third = await startGateway({ workers: 1, kafka: (await gateways[0].printed(/development broker at (\S+)/))[1],
            env: { ...settings, REDIS_URL: redis.url, INSTANCE_ID: 'host-c' } });
        await isUp(third, true);
        await signedIn(third, { user: 'gil' });
        assert.equal((await status(watcher, 'gil')).data.status, 'online');
        const { supervisor, ingest, workers } = third.pids();
        [supervisor, ...workers, ingest].forEach(pid => signalTo(pid, 'SIGKILL'));
        assert.equal((await status(watcher, 'gil')).data.status, 'offline');
        assert.equal((await online(watcher, 'gil')).gil, false);
        await watcher.close();
    });

    test('SIGHUP keeps it all', async () => {
        const [asker, hal] = [await signedIn(gateways[0], { user: 'asker' }), await signedIn(gateways[1], { user: 'hal', token: mintToken({ sub: 'hal' }) })];
        await until('hal to be seen', async () => (await online(asker, 'hal')).hal);
        gateways.forEach(gateway => gateway.signal('SIGHUP'));
        assert.equal((await online(asker, 'hal')).hal, true);
        await Promise.all([asker.close(), hal.close()]);
    });
});
