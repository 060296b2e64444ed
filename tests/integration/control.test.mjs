// Revocations and disconnects through gateway.control: two gateways on one Kafka, restarts of everything.
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { PATIENCE_MS, connectClient, mintToken, seconds, signedIn, startGateway, until } from './harness.mjs';

const CONTROL = 'gateway.control';
const EFFECTIVE_MS = 5_000; // one second is promised, of a machine that is not busy with other tests
let kafka, producer;
const gateways = [];

const start = async (options = {}) => {
    const gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2, ...options });
    gateways.push(gateway);
    return gateway;
};

before(async () => {
    kafka = await startKafka();
    await kafka.createTopic(CONTROL, 2);
    await kafka.createTopic('gateway.events', 1);
    producer = new Producer(kafka.bootstrap);
    await Promise.all([start(), start()]);
});

after(async () => {
    await Promise.all(gateways.map(gateway => gateway.stop()));
    await producer?.stop();
    await kafka?.stop();
});

const say = (type, data, options) => producer.send(CONTROL, { type, data }, options);

// The status that a handshake with this token gets: 101 or a refusal.
function handshake(gateway, token) {
    return new Promise((resolve, reject) => {
        const ws = new WebSocket(gateway.url, { headers: { authorization: `Bearer ${token}` } });
        ws.once('open', () => {
            ws.close();
            resolve(101);
        });
        ws.once('unexpected-response', (request, response) => {
            response.resume();
            request.destroy();
            resolve(response.statusCode);
        });
        ws.once('error', reject);
    });
}

async function refusedByMessage(gateway, token) {
    const client = await connectClient(gateway);
    await client.next('auth_required');
    client.send('authenticate', { token });
    const { data } = await client.next('auth_failed');
    await client.close();
    return data.code;
}

// On which gateways, whose tokens, and who must stay.
async function revokedEverywhere(data, tokens, others) {
    const going = await Promise.all(tokens.flatMap(token => gateways.map(gateway => signedIn(gateway, { token }))));
    const staying = await Promise.all(others.flatMap(token => gateways.map(gateway => signedIn(gateway, { token }))));
    await say('revoke', data);
    const sent = Date.now();
    for (const client of going) {
        assert.equal((await client.next('auth_failed')).data.code, 'TOKEN_REVOKED');
        assert.deepEqual(await client.closes(), { code: 1008, reason: 'Token revoked' });
    }
    assert.ok(Date.now() - sent < EFFECTIVE_MS, `closed after ${Date.now() - sent} ms`);
    for (const gateway of gateways) {
        for (const token of tokens) {
            assert.equal(await handshake(gateway, token), 401);
            assert.equal(await refusedByMessage(gateway, token), 'TOKEN_REVOKED');
        }
        for (const token of others)
            assert.equal(await handshake(gateway, token), 101);
    }
    for (const client of staying) {
        await client.settled();
        assert.equal(client.all('auth_failed').length, 0);
        await client.close();
    }
}

test('a user is revoked: on both hosts at once, whatever his tokens, and nobody else', async () => {
    await revokedEverywhere({ userId: 'mallory' }, [mintToken({ sub: 'mallory', iat: seconds(0) }), mintToken({ sub: 'mallory' })],
        [mintToken({ sub: 'alice', sid: 'mallory', jti: 'mallory' })]);
});

test('a session is revoked: all its tokens, not the user\'s other sessions', async () => {
    await revokedEverywhere({ sid: 's-1' }, [mintToken({ sub: 'bob', sid: 's-1', jti: 'a' }), mintToken({ sub: 'bob', sid: 's-1', jti: 'b' })],
        [mintToken({ sub: 'bob', sid: 's-2' }), mintToken({ sub: 'bob' })]);
});

test('one token is revoked by its jti', async () => {
    await revokedEverywhere({ jti: 't-1' }, [mintToken({ sub: 'carol', sid: 's-7', jti: 't-1' })], [mintToken({ sub: 'carol', sid: 's-7', jti: 't-2' })]);
});

test('a user\'s tokens issued before a time are revoked, later ones are good', async () => {
    await revokedEverywhere({ userId: 'dave', issuedBefore: Date.now() - 10_000 },
        [mintToken({ sub: 'dave', iat: seconds(-60) }), mintToken({ sub: 'dave' })], [mintToken({ sub: 'dave', iat: seconds(0) })]);
});

test('everybody\'s tokens issued before a time are revoked', async () => {
    const day = 86_400;
    await revokedEverywhere({ issuedBefore: Date.now() - day * 1000, until: Date.now() + 60_000 },
        [mintToken({ sub: 'erin', iat: seconds(-2 * day) }), mintToken({ sub: 'frank', iat: seconds(-2 * day) })],
        [mintToken({ sub: 'erin', iat: seconds(0) })]);
});

test('a revoked token does not come in as a refresh', async () => {
    const client = await signedIn(gateways[0], { token: mintToken({ sub: 'bob', jti: 'good', iat: seconds(0) }) });
    client.send('authenticate', { token: mintToken({ sub: 'bob', sid: 's-1', iat: seconds(0) }) });
    assert.equal((await client.next('auth_failed')).data.code, 'TOKEN_REVOKED');
    await client.settled();
    await client.close();
});

test('a refreshed connection is found by its new token', async () => {
    const client = await signedIn(gateways[0], { token: mintToken({ sub: 'gina', jti: 'old', iat: seconds(0) }) });
    client.send('authenticate', { token: mintToken({ sub: 'gina', jti: 'new', iat: seconds(0) }) });
    await client.next('auth_success');
    await say('revoke', { jti: 'old' });
    await say('revoke', { jti: 'new' });
    await client.next('auth_failed');
    assert.equal((await client.closes()).code, 1008);
});

test('a disconnect closes a user\'s connections on both hosts; he may come back', async () => {
    const token = mintToken({ sub: 'heidi', iat: seconds(0) });
    const clients = await Promise.all(gateways.map(gateway => signedIn(gateway, { token })));
    await say('disconnect', { userId: 'heidi', reason: 'Maintenance' });
    for (const client of clients) {
        assert.deepEqual(await client.closes(), { code: 1008, reason: 'Maintenance' });
        assert.equal(client.all('auth_failed').length, 0);
    }
    assert.equal(await handshake(gateways[0], token), 101);
});

test('a disconnect by connectionId closes that one', async () => {
    const [one, other] = await Promise.all([1, 2].map(() => signedIn(gateways[0], { user: 'ivan', iat: seconds(0) })));
    const { data: { connectionId } } = one.all('auth_success')[0];
    await say('disconnect', { connectionId });
    assert.deepEqual(await one.closes(), { code: 1008, reason: 'Disconnected' });
    await other.settled();
    await other.close();
});

test('messages that mean nothing are counted, told, and harmless', async () => {
    const client = await signedIn(gateways[0], { user: 'judy', token: mintToken({ sub: 'judy', iat: seconds(0) }) });
    const rejected = () => gateways[0].metric('control_rejected_total');
    const before = await rejected();
    const bad = ['{', '[]', '{"type":"revoke","data":{}}', '{"type":"revoke","data":{"userId":"judy","userId":"judy"}}',
        '{"type":"erase","data":{"userId":"judy"}}', '{"type":"revoke","data":{"userID":"judy"}}',
        '{"type":"revoke","data":{"userId":"judy","until":1700000000}}', Buffer.from([0xff, 0xfe, 0]), 'x'.repeat(100_000)];
    for (const value of bad)
        await producer.send(CONTROL, value);
    await until('all are counted', async () => await rejected() === before + bad.length);
    await gateways[0].printed(/control message gateway\.control:\d:\d+ is ignored: The message is not valid JSON/);
    await client.settled();
    await client.close();
    await producer.send(CONTROL, null);
    await say('revoke', { jti: 'after-the-bad-ones' });
    await until('still read', async () => await handshake(gateways[0], mintToken({ jti: 'after-the-bad-ones', iat: seconds(0) })) === 401);
});

const stillRefused = gateway => handshake(gateway, mintToken({ sub: 'mallory', iat: seconds(0) }));

test('a killed worker and a killed ingest know what was revoked before', async () => {
    for (const pid of gateways[0].pids().workers)
        await gateways[0].kill('worker', pid);
    await gateways[0].started();
    for (let i = 0; i < 8; i++)
        assert.equal(await stillRefused(gateways[0]), 401);
    await gateways[0].kill('ingest');
    assert.equal(await stillRefused(gateways[0]), 401);
    await say('revoke', { jti: 'behind-ingest' });
    await until('its successor goes on', async () => await handshake(gateways[0], mintToken({ jti: 'behind-ingest', iat: seconds(0) })) === 401);
});

test('a host that starts anew has read all revocations before it is ready', async () => {
    const again = await start();
    assert.equal(await stillRefused(again), 401);
    assert.equal(await handshake(again, mintToken({ sub: 'bob', sid: 's-1', iat: seconds(0) })), 401);
    assert.equal(await handshake(again, mintToken({ sub: 'alice', iat: seconds(0) })), 101);
});

test('who comes in the first moments of a host waits until it knows what is revoked', async () => {
    const early = mintToken({ sub: 'early', iat: seconds(0) });
    process.kill(kafka.pid, 'SIGSTOP'); // so that it can't know yet, however quick it is
    let fresh, client, answers;
    try {
        fresh = await startGateway({ kafka: kafka.bootstrap, workers: 1, ready: false });
        client = await connectClient(fresh);
        client.send('authenticate', { token: early });
        answers = [handshake(fresh, early), stillRefused(fresh)];
        await until('all three wait', async () => (await fresh.health()).metrics.pendingAuthentications === 3);
    } finally {
        process.kill(kafka.pid, 'SIGCONT');
    }
    assert.equal((await client.next('auth_success')).type, 'auth_success');
    assert.deepEqual(await Promise.all(answers), [101, 401]);
    assert.equal(client.all('auth_failed').length, 0);
    await client.close();
    await fresh.stop();
});

test('while Kafka is away at the start tokens wait for it, then the key alone decides; what is revoked is closed when Kafka comes', async () => {
    const [, brokerPort] = kafka.bootstrap.split(':');
    const door = createServer(socket => socket.pipe(connect(Number(brokerPort), '127.0.0.1')).on('error', () => socket.destroy()).pipe(socket).on('error', () => {}));
    await new Promise(resolve => door.listen(0, '127.0.0.1', resolve));
    const { port } = door.address();
    await new Promise(resolve => door.close(resolve));
    const blind = await startGateway({ kafka: `127.0.0.1:${port}`, workers: 1, ready: false, env: { AUTH_TIMEOUT: '2000' } });
    gateways.push(blind);
    const began = Date.now();
    const early = await Promise.all([stillRefused(blind), handshake(blind, mintToken()), refusedByMessage(blind, mintToken())]);
    assert.deepEqual(early, [503, 503, 'AUTH_UNAVAILABLE']);
    assert.ok(Date.now() - began >= 1_000, `after ${Date.now() - began} ms`);
    assert.equal(await refusedByMessage(blind, 'a.b.c'), 'INVALID_TOKEN');
    await until('it lets in', async () => await handshake(blind, mintToken()) === 101, 15_000);
    await blind.printed(/not known which tokens are revoked/);
    assert.equal((await blind.get('/ready')).status, 503);
    const alice = await signedIn(blind, { user: 'alice', iat: seconds(0) });
    const mallory = await signedIn(blind, { user: 'mallory', iat: seconds(0) });
    await new Promise(resolve => door.listen(port, '127.0.0.1', resolve));
    assert.equal((await mallory.closes(30_000)).code, 1008);
    await until('ready', async () => (await blind.get('/ready')).status === 200, 30_000);
    assert.equal(await stillRefused(blind), 401);
    await alice.settled();
    await alice.close();
    gateways.pop();
    await blind.stop();
    door.close();
});

test('a revocation whose time is over is forgotten', async () => {
    const token = mintToken({ sub: 'kate', iat: seconds(0) });
    const client = await signedIn(gateways[0], { token });
    await say('revoke', { userId: 'kate', until: Date.now() + 5_000 });
    assert.equal((await client.next('auth_failed')).data.code, 'TOKEN_REVOKED');
    await until('forgotten', async () => await handshake(gateways[0], token) === 101);
});

test('a table that is full refuses too many rather than too few, and says so', async () => {
    const small = await start({ env: { REVOCATION_MAX: '1000' } });
    const count = 6_000;
    await Promise.all(Array.from({ length: count }, (_, n) => say('revoke', { jti: `full-${n}`, until: Date.now() + 600_000 }, { partition: 0 })));
    await until('applied', async () => await handshake(small, mintToken({ jti: `full-${count - 1}`, iat: seconds(0) })) === 401);
    for (let n = 0; n < count; n += 97)
        assert.equal(await handshake(small, mintToken({ jti: `full-${n}`, iat: seconds(0) })), 401);
    await small.printed(/THE TABLE OF REVOCATIONS IS FULL/);
    assert.ok(await small.metric('revocations_coarse_total') > 0);
    for (let n = 0; n < count; n += 997)
        assert.equal(await handshake(gateways[0], mintToken({ jti: `full-${n}`, iat: seconds(0) })), 401);
    assert.equal(await handshake(gateways[0], mintToken({ sub: 'alice', jti: 'mine', iat: seconds(0) })), 101);
    gateways.splice(gateways.indexOf(small), 1);
    await small.stop();
});

// ---- the same by POST

const post = async (gateway, path, body, headers = {}) => {
    const answer = await gateway.get(path, { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE_MS) });
    return { status: answer.status, body: await answer.json() };
};

test('POST /admin/revoke on one host: closed on both, refused on both, told in the log', async () => {
    const token = mintToken({ sub: 'laura', jti: 'posted', iat: seconds(0) });
    const clients = await Promise.all(gateways.map(gateway => signedIn(gateway, { token })));
    const { status, body } = await post(gateways[0], '/admin/revoke', { jti: 'posted' });
    const answered = Date.now();
    assert.equal(status, 200, JSON.stringify(body));
    assert.match(body.id, /^gateway\.control:\d:\d+$/);
    for (const client of clients) {
        assert.equal((await client.next('auth_failed')).data.code, 'TOKEN_REVOKED');
        assert.equal((await client.closes()).code, 1008);
    }
    assert.ok(Date.now() - answered < EFFECTIVE_MS);
    for (const gateway of gateways)
        assert.equal(await handshake(gateway, token), 401);
    await gateways[0].printed(/admin: POST \/admin\/revoke by 127\.0\.0\.1: jti posted: 200/);
});

test('POST /admin/disconnect on one host closes the user on both', async () => {
    const clients = await Promise.all(gateways.map(gateway => signedIn(gateway, { user: 'mike', iat: seconds(0) })));
    assert.equal((await post(gateways[1], '/admin/disconnect', { userId: 'mike', reason: 'Go' })).status, 200);
    for (const client of clients)
        assert.deepEqual(await client.closes(), { code: 1008, reason: 'Go' });
});

test('POST /admin/publish reaches the rooms on both hosts', async () => {
    const clients = await Promise.all(gateways.map(gateway => signedIn(gateway, { user: 'nina', iat: seconds(0) })));
    const event = { type: 'system_alert', room: 'system_alerts', data: { message: 'Hello', price: 10500.25 } };
    const { status, body } = await post(gateways[0], '/admin/publish', event);
    assert.equal(status, 200, JSON.stringify(body));
    for (const client of clients) {
        const { id, data } = await client.next('system_alert');
        assert.equal(id, body.id);
        assert.deepEqual(data, event.data);
        await client.close();
    }
    await gateways[0].printed(/admin: POST \/admin\/publish by 127\.0\.0\.1: system_alert to system_alerts: 200/);
    assert.ok(!gateways[0].output.includes('Hello'), 'no payload in the log');
});

for (const [path, body] of [
    ['revoke', {}], ['revoke', { userId: 'a', sid: 'b' }], ['revoke', { userId: 'a', until: 1700000000 }], ['revoke', { userId: 'a', until: 1700000000000 }],
    ['revoke', { userID: 'a' }], ['revoke', { userId: '' }], ['disconnect', {}], ['disconnect', { sid: 'a' }],
    ['publish', {}], ['publish', { type: 'x', room: 'r' }], ['publish', { type: 'x', data: {} }], ['publish', { type: 'x', room: 'a b', data: {} }],
    ['publish', { type: 'x', rooms: 'r', data: {} }], ['publish', { type: '', room: 'r', data: {} }], ['publish', { type: 'x', room: 'r', data: [] }],
    ['publish', { type: 'x', room: 'r', data: {}, from: 'root' }], ['publish', { type: 'x', rooms: Array.from({ length: 65 }, (_, n) => `r${n}`), data: {} }],
])
    test(`POST /admin/${path} ${JSON.stringify(body).slice(0, 60)}: 400`, async () => {
        const answer = await post(gateways[0], `/admin/${path}`, body);
        assert.equal(answer.status, 400, JSON.stringify(answer.body));
        assert.equal(answer.body.error.code, 'BAD_REQUEST');
    });

test('without Kafka a POST is answered 503, and the log says so', async () => {
    const blind = await startGateway({ kafka: '127.0.0.1:1', workers: 1, ready: false });
    try {
        assert.equal((await post(blind, '/admin/revoke', { userId: 'a' })).status, 503);
        await blind.printed(/admin: POST \/admin\/revoke by 127\.0\.0\.1: userId a: 503/);
    } finally {
        await blind.stop();
    }
});
