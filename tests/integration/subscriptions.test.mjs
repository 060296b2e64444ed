// Who listens to what: any of three workers answers for all of them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SECRET, signedIn, startGateway, until } from './harness.mjs';

const WORKERS = 3;
const CLIENTS = 12;
const MOST = 256; // rooms of one worker that an answer knows
let gateway;
const clients = [];

before(async () => {
    gateway = await startGateway({ dev: true, workers: WORKERS, env: { JWT_SECRET: SECRET, WS_MAX_SUBSCRIPTIONS: '400' } });
    for (let n = 0; n < CLIENTS; n++)
        clients.push(await signedIn(gateway, { user: n < 4 ? 'fred' : `user-${n}`,
            channels: n < 7 ? ['chat:large', 'user_actions'] : n < 9 ? ['chat:small'] : [] }));
});

after(async () => {
    await gateway?.stop();
});

const page = async path => {
    const response = await gateway.get(path);
    assert.equal(response.status, 200, path);
    return response.json();
};
const listeners = rooms => Object.fromEntries(rooms.map(({ room, listeners }) => [room, listeners]));

test('every worker gives the same answer: all rooms, largest first, and who of them has the listeners', async () => {
    for (let n = 0; n < 8; n++) { // each a connection of its own, so the workers take turns by chance
        const { rooms, covers, next } = await page('/debug/subscriptions');
        assert.deepEqual(rooms.map(({ room }) => room), ['prices', 'system_alerts', 'trades', 'chat:large', 'user_actions', 'chat:small']);
        assert.deepEqual(rooms.map(({ listeners }) => listeners), [12, 12, 12, 7, 7, 2]);
        for (const { listeners, workers } of rooms)
            assert.equal(workers.reduce((sum, worker) => sum + worker.listeners, 0), listeners);
        assert.equal(next, undefined);
        assert.equal(covers.whole, true);
        assert.equal(covers.mostPerWorker, MOST);
        assert.deepEqual(covers.workers.map(({ index, answered }) => [index, answered]), [[0, true], [1, true], [2, true]]);
    }
});

test('pages follow each other without gap or repetition', async () => {
    const seen = [];
    let path = '/debug/subscriptions?limit=2';
    for (let pages = 0; path; pages++) {
        assert.ok(pages < 4);
        const { rooms, next } = await page(path);
        seen.push(...rooms.map(({ room }) => room));
        path = next && `/debug/subscriptions?limit=2&after=${encodeURIComponent(next)}`;
    }
    assert.deepEqual(seen, ['prices', 'system_alerts', 'trades', 'chat:large', 'user_actions', 'chat:small']);
});

test('/connections?user= gives that user\'s sockets, wherever they are', async () => {
    // for its first moment after authentication a connection is held
    await until('all are live', async () => (await page('/connections?user=fred')).sockets.every(({ state }) => state === 'live'));
    const { total, user, sockets, covers } = await page('/connections?user=fred');
    assert.equal(total, CLIENTS);
    assert.equal(user, 'fred');
    assert.equal(covers.whole, true);
    assert.deepEqual(sockets.map(({ connectionId }) => connectionId).sort(),
        clients.slice(0, 4).map(client => client.received.find(({ type }) => type === 'auth_success').data.connectionId).sort());
    for (const { state, rooms, worker } of sockets) {
        assert.equal(state, 'live');
        assert.equal(rooms, 9);
        assert.ok(worker < WORKERS);
    }
    assert.deepEqual((await page('/connections?user=nobody')).sockets, []);
});

test('/connections without a query counts, with ?limit= it lists rooms as well', async () => {
    assert.equal((await page('/connections')).rooms, undefined);
    const { total, workers, rooms } = await page('/connections?limit=1');
    assert.equal(total, CLIENTS);
    assert.equal(workers.length, WORKERS);
    assert.deepEqual(listeners(rooms), { prices: CLIENTS });
});

for (const query of ['limit=0', 'limit=1001', 'limit=', 'limit=1x', 'limit=99999999999999999999', 'after=prices', 'after=1', 'after=0:x', 'after=%zz', 'after=%00',
    `after=1:${'x'.repeat(129)}`])
    test(`?${query.slice(0, 30)}: 400`, async () => {
        assert.equal((await gateway.get(`/debug/subscriptions?${query}`)).status, 400);
    });

for (const query of ['user=', 'user=a%20b', 'user=%ff', `user=${'x'.repeat(256)}`, 'user=%4'])
    test(`/connections?${query.slice(0, 30)}: 400`, async () => {
        assert.equal((await gateway.get(`/connections?${query}`)).status, 400);
    });

test('administrators only; HEAD has no body; other methods are refused', async () => {
    assert.equal((await gateway.get('/debug/subscriptions', { headers: { 'x-forwarded-for': '192.0.2.1' } })).status, 403);
    const head = await gateway.get('/debug/subscriptions', { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), '');
    assert.equal((await gateway.get('/debug/subscriptions', { method: 'DELETE' })).status, 405);
});

test('sixty at once are answered or told to come again', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => gateway.get('/debug/subscriptions')));
    assert.ok(answers.some(({ status }) => status === 200));
    for (const answer of answers) {
        assert.ok(answer.status === 200 || answer.status === 503 && answer.headers.get('retry-after'), String(answer.status));
        await answer.text();
    }
});

test('a worker that stands still is named, and does not keep the others from answering', async () => {
    const { workers } = gateway.pids();
    const { workers: rows } = await page('/connections');
    const still = workers.find(pid => pid !== rows[0].pid);
    const { index } = rows.find(({ pid }) => pid === still);
    process.kill(still, 'SIGSTOP');
    try {
        // Some of these wait for the worker that stands still; the first that is answered was asked of another.
        const { covers } = await Promise.any(Array.from({ length: 12 }, () => page('/debug/subscriptions')));
        assert.equal(covers.whole, false);
        assert.equal(covers.workers.find(worker => worker.index === index).answered, false);
    } finally {
        process.kill(still, 'SIGCONT');
    }
});

test('of more rooms than an answer holds the largest are listed, and it says so', async () => {
    const many = await signedIn(gateway, { user: 'many' });
    const names = Array.from({ length: MOST + 10 }, (_, n) => `chat:n${n}`);
    for (let from = 0; from < names.length; from += 100) // as many as one message may name
        many.send('subscribe', { channels: names.slice(from, from + 100) });
    await many.settled();
    const { rooms, covers } = await page('/debug/subscriptions?limit=1000');
    assert.equal(covers.whole, false);
    assert.ok(covers.workers.some(worker => worker.rooms > MOST));
    assert.deepEqual(rooms.slice(0, 3).map(({ room }) => room), ['prices', 'system_alerts', 'trades']);
    await many.close();
});
