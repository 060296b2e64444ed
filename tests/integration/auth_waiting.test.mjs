// What a client sends right behind a token that has to wait: it waits as well, and is handled in order when the verdict
// is there. The auth service here answers when the test says so.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SECRET, assertSame, connectClient, ioUringAllowed, memoryKiB, signedIn, startGateway, until, within } from './harness.mjs';
import { Authority } from './certificates.mjs';
import { CLOSE, PING, PONG, TEXT, closePayload, frame, rawSocket } from './raw_socket.mjs';

// Only for the harness' own questions (/ready, /metrics).
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
process.removeAllListeners('warning');

// Holds every question until answer(token), or answerAll() for those to come as well; `good-USER-…` is USER's.
async function startService() {
    const held = new Map();
    let free = false;
    const say = (token, response) => {
        const [kind, id] = token.split('-');
        held.delete(token);
        response.writeHead(kind === 'good' ? 200 : 401).end(JSON.stringify({ user: { id, isActive: true } }));
    };
    const server = createServer((request, response) => {
        let body = '';
        request.setEncoding('utf8').on('data', piece => (body += piece)).on('end', () => {
            const { token } = JSON.parse(body);
            if (free)
                return say(token, response);
            held.set(token, response);
        });
    });
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    return {
        url: `http://127.0.0.1:${server.address().port}`,
        asked: token => until(`${token} is asked about`, () => held.has(token)),
        async answer(token) {
            await this.asked(token);
            say(token, held.get(token));
        },
        answerAll(yes) {
            free = yes;
            if (yes)
                [...held].forEach(([token, response]) => say(token, response));
        },
        stop() {
            server.closeAllConnections();
            return new Promise(resolve => server.close(resolve));
        },
    };
}

let service, folder, authority, serial = 0;
const good = user => `good-${user}-${++serial}`;
const bad = () => `bad-${++serial}`;

before(async () => {
    service = await startService();
    folder = mkdtempSync(join(tmpdir(), 'moonx-waiting-'));
    authority = new Authority(folder);
});

after(async () => {
    await service?.stop();
    rmSync(folder, { recursive: true, force: true });
});

const start = (options = {}) => startGateway({ dev: true, ...options,
    env: { JWT_SECRET: SECRET, AUTH_SERVICE_URL: service.url, AUTH_SERVICE_TIMEOUT: '30000', WS_DEFLATE: 'true', ...options.env } });

// All in one write of the client.
function pipelined(client, ...messages) {
    client.ws._socket.cork();
    messages.forEach(([type, data, more]) => client.send(type, data, more));
    client.ws._socket.uncork();
}

// Whatever has been read so far has been looked at: the client's ping stood behind it.
const read = client => within('the pong', 10_000, new Promise(resolve => {
    client.ws.once('pong', resolve);
    client.ws.ping();
}));

const answers = client => client.received.filter(({ id, type }) => !/:\d+:\d+$/.test(id) && type !== 'auth_required')
    .map(({ type, ref, data }) => [type, ref, ...(data.code ? [data.code] : [])]);

const ways = [
    { name: 'io_uring', options: () => ({ flush: 'io_uring' }), skip: !ioUringAllowed() && 'io_uring is not to be had here' },
    { name: 'sendmsg', options: () => ({ flush: 'sendmsg' }) },
    { name: 'TLS', secure: true, options: () => {
        const { cert, key } = authority.issue('waiting', { names: ['waiting.example'] });
        return { env: { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } };
    } },
];

for (const { name, secure, options, skip } of ways) {
    describe(`messages behind a token that waits, ${name}`, { skip }, () => {
        let gateway;
        before(async () => (gateway = await start(options())));
        after(() => gateway?.stop());

        const trusting = () => (secure ? { ca: authority.text, servername: 'waiting.example' } : {});
        const open = async (more = {}) => {
            const client = await connectClient(gateway, { ...more, ...trusting() });
            await client.next('auth_required');
            return client;
        };

        for (const deflate of [false, { threshold: 0 }]) {
            test(`are handled in order when it is good${deflate ? ', deflated too' : ''}`, async () => {
                const client = await open({ perMessageDeflate: deflate });
                const token = good('alice');
                pipelined(client, ['authenticate', { token, channels: ['user_actions'] }, { id: '1' }], ['subscribe', { channel: 'chat:1' }, { id: '2' }],
                    ['get_rooms', {}, { id: '3' }], ['unsubscribe', { channel: 'chat:1' }, { id: '4' }], ['ping', {}, { id: '5' }]);
                await service.asked(token);
                await read(client);
                assert.deepEqual(answers(client), [], 'nothing is answered before the verdict');
                await service.answer(token);
                const pong = await client.next('pong');
                assert.ok(pong.data.serverTime > 0);
                assert.deepEqual(answers(client), [['auth_success', '1'], ['auto_subscribed', '1'], ['subscribed', '1'], ['subscribed', '2'],
                    ['rooms', '3'], ['unsubscribed', '4'], ['pong', '5']]);
                assert.ok(client.all('rooms')[0].data.rooms.includes('chat:1'));
                assert.equal((await client.request('get_rooms', {})).type, 'rooms', 'and what comes later as ever');
                await client.close();
            });
        }

        test('are refused in order when it is not, and the token among them is judged in its turn', async () => {
            const client = await open();
            const first = bad(), second = good('bob');
            pipelined(client, ['authenticate', { token: first }, { id: '1' }], ['get_rooms', {}, { id: '2' }],
                ['authenticate', { token: second }, { id: '3' }], ['get_rooms', {}, { id: '4' }]);
            await service.answer(first);
            await service.asked(second);
            await read(client);
            assert.deepEqual(answers(client), [['auth_failed', '1', 'INVALID_TOKEN'], ['error', '2', 'NOT_AUTHENTICATED']]);
            await service.answer(second);
            await client.next('rooms');
            assert.deepEqual(answers(client).slice(2), [['auth_success', '3'], ['auto_subscribed', '3'], ['rooms', '4']]);
            await client.close();
        });

        test('of which there are more than is kept lie in the kernel meanwhile, and all come in order', async () => {
            const client = await open({ perMessageDeflate: false });
            const token = good('carol'), count = 3000, pad = 'x'.repeat(1000);
            const before = await gateway.metric('messages_deferred_total');
            pipelined(client, ['authenticate', { token }], ...Array.from({ length: count }, (_, i) => ['ping', { pad }, { id: `p${i}` }]));
            await service.asked(token);
            await until('some are kept', async () => await gateway.metric('messages_deferred_total') - before >= 4);
            const kept = await gateway.metric('messages_deferred_total') - before;
            assert.ok(kept < 60, `${kept} messages were read while the token waited`);
            assert.deepEqual(answers(client), []);
            await service.answer(token);
            await client.next(({ ref }) => ref === `p${count - 1}`);
            assertSame(client.all('pong').map(({ ref }) => ref), Array.from({ length: count }, (_, i) => `p${i}`), 'pongs in order');
            assert.deepEqual(answers(client).slice(0, 2).map(([type]) => type), ['auth_success', 'auto_subscribed']);
            await client.close();
        });

        test('a long one among them is whole', async () => {
            const client = await open({ perMessageDeflate: false });
            const token = good('dan');
            pipelined(client, ['authenticate', { token }], ['get_rooms', { pad: 'y'.repeat(60_000) }, { id: 'long' }], ['ping', {}, { id: 'last' }]);
            await service.asked(token);
            await service.answer(token);
            await client.next(({ ref }) => ref === 'last');
            assert.deepEqual(answers(client).slice(2), [['rooms', 'long'], ['pong', 'last']]);
            await client.close();
        });

        test('a Close behind them comes in its turn; one behind the token alone at once', async () => {
            const listener = await signedIn(gateway, { user: 'demo', channels: ['chat:2'] }, trusting());
            const client = await open();
            const token = good('erin');
            pipelined(client, ['authenticate', { token }], ['publish', { room: 'chat:2', event: 'last_words', payload: { n: 1 } }, { id: 'p' }]);
            client.ws.close(1000, 'done');
            await service.asked(token);
            assert.equal(client.ended, undefined);
            await service.answer(token);
            assert.equal((await client.closes()).code, 1000);
            assert.equal((await listener.next('last_words')).from, 'erin');

            const hasty = await open(), other = good('frank');
            pipelined(hasty, ['authenticate', { token: other }]);
            await service.asked(other);
            assert.equal((await hasty.close(1000)).code, 1000);
            await service.answer(other);
            assert.deepEqual(answers(hasty), []);
            await listener.close();
        });

        test('of clients that have gone are forgotten', async () => {
            const { workers } = gateway.pids();
            const clients = await Promise.all(Array.from({ length: 20 }, () => open({ perMessageDeflate: false })));
            const tokens = clients.map(() => good('grace'));
            clients.forEach((client, i) => pipelined(client, ['authenticate', { token: tokens[i] }],
                ...Array.from({ length: i % 2 ? 1 : 40 }, () => ['ping', { pad: 'z'.repeat(1000) }])));
            await Promise.all(tokens.map(token => service.asked(token)));
            clients.forEach(client => client.ws.terminate());
            await until('they are gone', async () => (await gateway.health()).metrics.pendingAuthentications === 0);
            await Promise.all(tokens.map(token => service.answer(token)));
            const client = await open();
            const token = good('heidi');
            pipelined(client, ['authenticate', { token }], ['ping', {}]);
            await service.answer(token);
            await client.next('pong');
            assert.deepEqual(gateway.pids().workers, workers);
            await client.close();
        });
    });
}

describe('what else may happen behind a token that waits', () => {
    let gateway;
    before(async () => (gateway = await start()));
    after(() => gateway?.stop());

    test('a bomb is inflated only then, and closes with 1009', async () => {
        const client = await connectClient(gateway, { perMessageDeflate: { threshold: 0 } });
        await client.next('auth_required');
        const token = good('ivan');
        pipelined(client, ['authenticate', { token }], ['get_rooms', { pad: 'x'.repeat(1 << 20) }]);
        await service.asked(token);
        await read(client);
        assert.equal(client.ended, undefined);
        await service.answer(token);
        assert.equal((await client.closes()).code, 1009);
        assert.deepEqual(answers(client).map(([type]) => type), ['auth_success', 'auto_subscribed']);
    });

    test('pings are answered, and frames that break the rules end it at once', async () => {
        const raw = await rawSocket(gateway);
        const token = good('judy');
        raw.write(frame(TEXT, JSON.stringify({ type: 'authenticate', data: { token } })), frame(TEXT, '{"type":"get_rooms"}'), frame(PING, 'hello'));
        assert.equal((await raw.frame(({ opcode }) => opcode === PONG)).payload.toString(), 'hello');
        raw.write(frame(TEXT, '{}', { masked: false }));
        assert.equal((await raw.closeFrame()).code, 1002);
        await raw.ended;
        await service.answer(token);
    });

    test('nothing counts behind a Close', async () => {
        const raw = await rawSocket(gateway);
        const token = good('ken');
        raw.write(frame(TEXT, JSON.stringify({ type: 'authenticate', data: { token } })), frame(TEXT, '{"type":"get_rooms"}'),
            frame(CLOSE, closePayload(1000)), frame(TEXT, '{"type":"ping"}'));
        await service.answer(token);
        assert.equal((await raw.closeFrame()).code, 1000);
        const types = raw.frames.filter(({ opcode }) => opcode === TEXT).map(({ payload }) => JSON.parse(payload)).map(({ type }) => type);
        assert.ok(types.includes('rooms') && !types.includes('pong'), types.join());
        await raw.ended;
    });

    test('who refreshes his token goes on meanwhile as who he is', async () => {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        const first = good('leo'), second = good('leo');
        pipelined(client, ['authenticate', { token: first }]);
        await service.answer(first);
        await client.next('auto_subscribed');
        pipelined(client, ['authenticate', { token: second }, { id: 'refresh' }], ['get_rooms', {}, { id: 'meanwhile' }]);
        assert.equal((await client.next(({ ref }) => ref === 'meanwhile')).type, 'rooms');
        await service.answer(second);
        assert.equal((await client.next(({ ref }) => ref === 'refresh')).type, 'auth_success');
        await client.close();
    });

    test('a thousand at once: all are served, each in its order, and what was kept is given back', async () => {
        const clients = await Promise.all(Array.from({ length: 1000 }, () => connectClient(gateway, { perMessageDeflate: false })));
        await Promise.all(clients.map(client => client.next('auth_required')));
        const [worker] = gateway.pids().workers;
        const before = memoryKiB(worker), asked = await gateway.metric('auth_service_calls_total');
        clients.forEach(client => pipelined(client, ['authenticate', { token: good('mia') }], ['subscribe', { channel: 'chat:3' }],
            ...Array.from({ length: 40 }, () => ['ping', { pad: 'x'.repeat(200) }]), ['get_rooms', {}, { id: 'last' }]));
        await until('all wait', async () => (await gateway.metric('auth_service_calls_total')) - asked >= 1000);
        const grown = memoryKiB(worker) - before;
        assert.ok(grown < 1000 * 32, `${grown} KiB for 1000 that wait`);
        service.answerAll(true);
        await Promise.all(clients.map(client => client.next(({ ref }) => ref === 'last')));
        for (const client of clients)
            assert.deepEqual(answers(client).map(([type]) => type), ['auth_success', 'auto_subscribed', 'subscribed', ...Array(40).fill('pong'), 'rooms']);
        service.answerAll(false);
        await Promise.all(clients.map(client => client.close()));
    });
});

test('the deadline of authentication holds, whether or not the client is still read', async () => {
    const gateway = await start({ env: { AUTH_TIMEOUT: '2000' } });
    try {
        for (const count of [1, 400]) {
            const client = await connectClient(gateway, { perMessageDeflate: false });
            await client.next('auth_required');
            const token = good('nina');
            pipelined(client, ['authenticate', { token }], ...Array.from({ length: count }, () => ['ping', { pad: 'x'.repeat(1000) }]));
            assert.deepEqual(await client.closes(), { code: 1008, reason: 'Authentication timeout' });
            assert.deepEqual(answers(client), []);
            await service.answer(token);
        }
    } finally {
        await gateway.stop();
    }
});
