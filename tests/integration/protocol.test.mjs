// The conversation between one client and the gateway: connecting, authenticating, rooms, errors, and what
// happens to peers that break the WebSocket protocol or abuse it. Events have a file of their own.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startKafka } from '../kafka/kafka.mjs';
import { PATIENCE_MS, connectClient, memoryKiB, mintToken, moonxClient, seconds, signedIn, startGateway, until, within } from './harness.mjs';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, closePayload, frame, rawSocket } from './raw_socket.mjs';

const ROOMS_OF = user => ['prices', 'trades', 'system_alerts', `user:${user}`, `portfolio:${user}`, `orders:${user}`, `notifications:${user}`];

let kafka, gateway;

before(async () => {
    kafka = await startKafka();
    gateway = await startGateway({ kafka: kafka.bootstrap });
});

after(async () => {
    await gateway?.stop();
    await kafka?.stop();
});

// A gateway with other settings for one test.
async function withGateway(options, story) {
    const own = await startGateway({ kafka: kafka.bootstrap, ...options });
    try {
        await story(own);
    } finally {
        await own.stop();
    }
}

function assertEnvelope(message) {
    assert.equal(typeof message.id, 'string', message.raw);
    assert.ok(message.id.length > 0, message.raw);
    assert.equal(typeof message.type, 'string', message.raw);
    assert.ok(Math.abs(message.timestamp - Date.now()) < 60_000, message.raw);
    assert.equal(typeof message.data, 'object', message.raw);
}

async function assertError(client, code, message) {
    assert.equal(message.type, 'error', message.raw);
    assert.equal(message.data.code, code, message.raw);
    assert.equal(typeof message.data.message, 'string', message.raw);
    assertEnvelope(message);
    assert.equal(client.ended, undefined, 'an error never closes');
}

describe('connecting and authenticating', () => {
    test('the server speaks first: auth_required with the time allowed and a connection id', async () => {
        const client = await connectClient(gateway);
        const hello = await client.next('auth_required');
        assertEnvelope(hello);
        assert.deepEqual(Object.keys(hello.data).sort(), ['connectionId', 'timeout']);
        assert.equal(hello.data.timeout, PATIENCE_MS);
        assert.match(hello.data.connectionId, /^\S+$/);
        const other = await connectClient(gateway);
        assert.notEqual((await other.next('auth_required')).data.connectionId, hello.data.connectionId);
        await client.close();
        await other.close();
    });

    test('the subprotocol moonx.v1 is echoed if offered, and no other', async () => {
        const offered = await connectClient(gateway, { protocols: ['other', 'moonx.v1'] });
        assert.equal(offered.ws.protocol, 'moonx.v1');
        const silent = await connectClient(gateway);
        assert.equal(silent.ws.protocol, '');
        await offered.close();
        await silent.close();
    });

    test('a good token: who you are, until when, and the seven rooms in their order', async () => {
        const client = await connectClient(gateway);
        const hello = await client.next('auth_required');
        const exp = seconds(600);
        const answer = await client.request('authenticate', {
            token: mintToken({ sub: 'alice', email: 'alice@example.org', roles: ['trader', 'vip'], exp }),
        });
        assertEnvelope(answer);
        assert.equal(answer.type, 'auth_success');
        assert.deepEqual(answer.data.user, { id: 'alice', email: 'alice@example.org', roles: ['trader', 'vip'] });
        assert.equal(answer.data.expiresAt, exp * 1000);
        assert.equal(answer.data.connectionId, hello.data.connectionId);
        const joined = await client.next('auto_subscribed');
        assertEnvelope(joined);
        assert.deepEqual(joined.data.rooms, ROOMS_OF('alice'));
        assert.deepEqual(client.received.map(({ type }) => type), ['auth_required', 'auth_success', 'auto_subscribed']);
        await client.close();
    });

    test('authenticate with channels: subscribed for each of them, after the automatic rooms', async () => {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        client.send('authenticate', { token: mintToken(), channels: ['notifications', 'prices:1:ETH', 'user_actions'] });
        const last = await client.next(({ type, data }) => type === 'subscribed' && data.channel === 'user_actions');
        assert.deepEqual(last.data.rooms, ['user_actions']);
        assert.deepEqual(client.received.map(({ type }) => type),
            ['auth_required', 'auth_success', 'auto_subscribed', 'subscribed', 'subscribed', 'subscribed']);
        assert.deepEqual(client.all('subscribed').map(({ data }) => data.channel), ['notifications', 'prices:1:ETH', 'user_actions']);
        assert.deepEqual([...client.all('subscribed')[0].data.rooms].sort(), ['notifications', 'notifications:alice']);
        await client.close();
    });

    test('userId and id stand in for sub, a single role for roles', async () => {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        const { data } = await client.request('authenticate', { token: mintToken({ sub: undefined, userId: 'u-7', role: 'admin' }) });
        assert.equal(data.user.id, 'u-7');
        assert.deepEqual(data.user.roles, ['admin']);
        await client.close();
    });

    test('bad tokens are refused with a code, and the third closes with 1008', async () => {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        const refused = async (token, code) => {
            const answer = await client.request('authenticate', { token });
            assert.equal(answer.type, 'auth_failed', answer.raw);
            assert.equal(answer.data.code, code, answer.raw);
            assert.equal(typeof answer.data.error, 'string');
            assertEnvelope(answer);
        };
        await refused(mintToken({}, { secret: 'another secret of some length' }), 'INVALID_TOKEN');
        await refused(mintToken({ exp: seconds(-3600) }), 'TOKEN_EXPIRED');
        await refused(mintToken({ sub: 'not allowed!' }), 'INVALID_USER_ID');
        assert.deepEqual(await client.closes(), { code: 1008, reason: 'Authentication failed' });
    });

    test('two bad tokens and then a good one is fine', async () => {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        for (const token of ['', 'a.b.c'])
            assert.notEqual((await client.request('authenticate', { token })).type, 'auth_success');
        assert.equal((await client.request('authenticate', { token: mintToken() })).type, 'auth_success');
        await client.close();
    });

    test('algorithms that the operator did not name are refused', async () => {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(`{"sub":"x","exp":${seconds(60)}}`).toString('base64url')}.`;
        for (const token of [mintToken({}, { algorithm: 'HS512' }), none])
            assert.equal((await client.request('authenticate', { token })).data.code, 'INVALID_TOKEN');
        await client.close();
    });

    test('HS384 and HS512 are accepted where they are configured', () =>
        withGateway({ env: { JWT_ALGORITHMS: 'HS384,HS512' } }, async own => {
            for (const algorithm of ['HS384', 'HS512'])
                await (await signedIn(own, { token: mintToken({}, { algorithm }) })).close();
            const client = await connectClient(own);
            await client.next('auth_required');
            assert.equal((await client.request('authenticate', { token: mintToken() })).data.code, 'INVALID_TOKEN');
            await client.close();
        }));

    test('whoever says nothing is closed with 1008 when the time is over, and pings do not prolong it', () =>
        withGateway({ env: { AUTH_TIMEOUT: '2000' } }, async own => {
            const [silent, pinging] = [await connectClient(own), await connectClient(own)];
            assert.equal((await silent.next('auth_required')).data.timeout, 2000);
            const timer = setInterval(() => pinging.ws.readyState === 1 && pinging.send('ping'), 100);
            assert.deepEqual(await silent.closes(), { code: 1008, reason: 'Authentication timeout' });
            assert.deepEqual(await pinging.closes(), { code: 1008, reason: 'Authentication timeout' });
            clearInterval(timer);
            assert.ok(pinging.all('pong').length > 0);
        }));

    test('when the token expires the client is told so, and closed with 1008', () =>
        withGateway({ env: { JWT_LEEWAY_SECONDS: '0' } }, async own => {
            const client = await signedIn(own, { exp: seconds(4) });
            const failed = await client.next('auth_failed');
            assert.equal(failed.data.code, 'TOKEN_EXPIRED');
            assert.equal((await client.closes()).code, 1008);
        }));

    test('authenticating again as the same user is a refresh; as another it is refused', async () => {
        const client = await signedIn(gateway, { user: 'alice', exp: seconds(60) });
        const exp = seconds(7200);
        const again = await client.request('authenticate', { token: mintToken({ sub: 'alice', exp }) });
        assert.equal(again.type, 'auth_success');
        assert.equal(again.data.expiresAt, exp * 1000);
        const other = await client.request('authenticate', { token: mintToken({ sub: 'bob' }) });
        assert.notEqual(other.type, 'auth_success', other.raw);
        await client.close();
    });

    test('before authentication only authenticate and ping are answered', async () => {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        for (const type of ['subscribe', 'unsubscribe', 'get_rooms', 'no_such_type'])
            await assertError(client, 'NOT_AUTHENTICATED', await client.request(type, { channel: 'prices' }));
        assert.equal((await client.request('ping', {})).type, 'pong');
        await client.close();
    });
});

describe('rooms', () => {
    let client;
    before(async () => (client = await signedIn(gateway, { user: 'alice', roles: ['desk'] })));
    after(() => client.close());

    const rooms = async () => {
        const answer = await client.request('get_rooms');
        assert.equal(answer.type, 'rooms');
        assertEnvelope(answer);
        return [...answer.data.rooms].sort();
    };

    test('get_rooms lists what the connection is in', async () => {
        assert.deepEqual(await rooms(), ROOMS_OF('alice').sort());
    });

    test('subscribe and unsubscribe answer once each, and repeating them is no error', async () => {
        for (let i = 0; i < 2; i++) {
            const { type, data } = await client.request('subscribe', { channel: 'prices:1:ETH' });
            assert.equal(type, 'subscribed');
            assert.equal(data.channel, 'prices:1:ETH');
            assert.deepEqual(data.rooms, ['prices:1:ETH']);
        }
        assert.ok((await rooms()).includes('prices:1:ETH'));
        for (let i = 0; i < 2; i++) {
            const { type, data } = await client.request('unsubscribe', { channel: 'prices:1:ETH' });
            assert.equal(type, 'unsubscribed');
            assert.deepEqual(data, { channel: 'prices:1:ETH' });
        }
        assert.deepEqual(await rooms(), ROOMS_OF('alice').sort());
    });

    test('several channels in one request get one reply each, in order, all with its ref', async () => {
        client.send('subscribe', { channels: ['user_actions', 'no room!', 'chat:lobby'] }, { id: 'many' });
        const replies = [];
        for (let i = 0; i < 3; i++)
            replies.push(await client.next(({ ref }) => ref === 'many'));
        assert.deepEqual(replies.map(({ type }) => type), ['subscribed', 'error', 'subscribed']);
        assert.deepEqual([replies[0].data.channel, replies[1].data.code, replies[2].data.channel], ['user_actions', 'UNKNOWN_CHANNEL', 'chat:lobby']);
        client.send('unsubscribe', { channels: ['user_actions', 'chat:lobby'] }, { id: 'less' });
        for (const channel of ['user_actions', 'chat:lobby'])
            assert.equal((await client.next(({ ref }) => ref === 'less')).data.channel, channel);
    });

    test('channels are mapped to the caller\'s own rooms', async () => {
        const mapping = {
            orders: ['orders:alice'],
            portfolio: ['portfolio:alice'],
            user_specific: ['user:alice'],
            notifications: ['notifications', 'notifications:alice'],
            trades: ['trades'],
        };
        for (const [channel, expected] of Object.entries(mapping)) {
            const { data } = await client.request('subscribe', { channel });
            assert.deepEqual([...data.rooms].sort(), expected, channel);
        }
        await client.request('unsubscribe', { channel: 'orders' });
        assert.ok(!(await rooms()).includes('orders:alice'));
        await client.request('subscribe', { channel: 'orders:alice' });
        assert.ok((await rooms()).includes('orders:alice'), 'by its full name too');
        await client.request('unsubscribe', { channel: 'notifications' });
        assert.ok(!(await rooms()).some(room => room.startsWith('notifications')));
    });

    test('the room policy decides who joins', async () => {
        const refused = {
            PERMISSION_DENIED: ['orders:bob', 'user:bob', 'portfolio:alice2', 'notifications:bob', 'role:admin', 'order:42'],
            UNKNOWN_CHANNEL: ['nonsense', 'two words', 'ünicode', '', 'x'.repeat(129), 'line\nbreak'],
        };
        for (const [code, channels] of Object.entries(refused))
            for (const channel of channels)
                await assertError(client, code, await client.request('subscribe', { channel }));
        for (const channel of ['role:desk', 'chat:lobby', 'prices:56:0xA+b=c~d@e|f', `prices:${'x'.repeat(121)}`]) {
            assert.deepEqual((await client.request('subscribe', { channel })).data.rooms, [channel]);
            await client.request('unsubscribe', { channel });
        }
    });

    test('no more subscriptions than the limit, and leaving one makes room', () =>
        withGateway({ env: { WS_MAX_SUBSCRIPTIONS: '3' } }, async own => {
            const eager = await signedIn(own);
            for (const channel of ['chat:1', 'chat:2', 'chat:3'])
                assert.equal((await eager.request('subscribe', { channel })).type, 'subscribed');
            await assertError(eager, 'TOO_MANY_SUBSCRIPTIONS', await eager.request('subscribe', { channel: 'chat:4' }));
            assert.equal((await eager.request('subscribe', { channel: 'chat:2' })).type, 'subscribed', 'it is in there already');
            await eager.request('unsubscribe', { channel: 'chat:1' });
            assert.equal((await eager.request('subscribe', { channel: 'chat:4' })).type, 'subscribed');
            await eager.close();
        }));
});

describe('messages', () => {
    let client;
    before(async () => (client = await signedIn(gateway)));
    after(() => client.close());

    test('ping is answered with the server\'s time', async () => {
        const pong = await client.request('ping', { any: ['thing', 1] });
        assert.equal(pong.type, 'pong');
        assertEnvelope(pong);
        assert.ok(Math.abs(pong.data.serverTime - Date.now()) < 30_000);
    });

    test('a message without an id gets a reply without a ref', async () => {
        client.send('ping');
        const pong = await client.next('pong');
        assert.equal('ref' in pong, false);
    });

    test('what is no JSON gets INVALID_JSON', async () => {
        const texts = ['{', 'nonsense', '', ' ', '{"type":"ping"} x', '{"type":"ping",}', "{'type':'ping'}", '{"type":"pi\\u0000ng"}',
            '{"type":"\\ud800"}', '{"type":"ping","data":{"n":01}}', '\ufeff{"type":"ping"}', `{"type":"ping","data":${'['.repeat(40)}${']'.repeat(40)}}`];
        for (const text of texts) {
            client.sendText(text);
            await assertError(client, 'INVALID_JSON', await client.next('error'));
        }
    });

    test('JSON that is no message gets INVALID_MESSAGE', async () => {
        for (const text of ['[]', '"ping"', '17', 'null', '{}', '{"type":5}', '{"type":null}', '{"type":"ping","data":[]}', '{"type":"ping","data":"x"}']) {
            client.sendText(text);
            const error = await client.next('error');
            await assertError(client, 'INVALID_MESSAGE', error);
        }
        for (const data of [{}, { channel: 5 }, { channels: 'prices' }, { channels: [5] }])
            await assertError(client, 'INVALID_MESSAGE', await client.request('subscribe', data));
    });

    test('an unknown type gets UNKNOWN_TYPE', async () => {
        for (const type of ['no_such_type', 'Ping', 'price_update', 'x'.repeat(1000)])
            await assertError(client, 'UNKNOWN_TYPE', await client.request(type, {}));
    });

    test('a message of exactly the greatest size is read, whole or in fragments', async () => {
        const text = JSON.stringify({ type: 'ping', id: 'big', data: { filler: '' } });
        const big = text.replace('"filler":""', `"filler":"${'x'.repeat(65536 - text.length)}"`);
        assert.equal(big.length, 65536);
        client.sendText(big);
        assert.equal((await client.next(({ ref }) => ref === 'big')).type, 'pong');
        for (let at = 0; at < 65536; at += 4096)
            client.ws.send(big.slice(at, at + 4096), { fin: at + 4096 === 65536 });
        assert.equal((await client.next(({ ref }) => ref === 'big')).type, 'pong');
    });

    test('the project\'s own client signs in and is answered', async () => {
        const own = moonxClient(['--url', gateway.url, '--token', mintToken()]);
        assert.match(await own.line(/auto_subscribed/), /system_alerts/);
        await own.stop();
    });
});

describe('WebSocket frames', () => {
    test('a message may come in any number of fragments, with a ping between them', async () => {
        const raw = await rawSocket(gateway);
        const text = Buffer.from('{"type":"ping","id":"ä€😀"}');
        for (let cut = 1; cut < text.length; cut++) {
            raw.frames.length = 0;
            raw.write(frame(TEXT, text.subarray(0, cut), { fin: false }), frame(PING, `at ${cut}`), frame(CONTINUATION, text.subarray(cut)));
            assert.equal((await raw.message('pong')).ref, 'ä€😀');
            assert.equal(raw.frames[0].opcode, PONG);
            assert.equal(raw.frames[0].payload.toString(), `at ${cut}`);
        }
        raw.destroy();
    });

    test('a frame may come one byte at a time', async () => {
        const raw = await rawSocket(gateway);
        for (const byte of frame(TEXT, '{"type":"ping","id":"slow"}')) {
            await new Promise(resolve => raw.socket.write(Buffer.from([byte]), resolve));
        }
        assert.equal((await raw.message('pong')).ref, 'slow');
        raw.destroy();
    });

    test('many messages in one segment are answered in order', async () => {
        const raw = await rawSocket(gateway);
        raw.write(...Array.from({ length: 50 }, (_, i) => frame(TEXT, `{"type":"ping","id":"${i}"}`)));
        await raw.frame(({ opcode, payload }) => opcode === TEXT && JSON.parse(payload).ref === '49');
        assert.deepEqual(raw.frames.map(({ payload }) => JSON.parse(payload).ref).filter(Boolean), Array.from({ length: 50 }, (_, i) => String(i)));
        raw.destroy();
    });

    test('a ping is answered with its payload, a stray pong is ignored', async () => {
        const raw = await rawSocket(gateway);
        raw.write(frame(PONG, 'unasked'), frame(PING, 'x'.repeat(125)));
        assert.equal((await raw.frame(({ opcode }) => opcode === PONG)).payload.toString(), 'x'.repeat(125));
        raw.destroy();
    });

    test('Close is answered with the same code, after what was asked before it', async () => {
        for (const [payload, code] of [[closePayload(1000, 'bye'), 1000], [closePayload(4321), 4321], [Buffer.alloc(0), 1005]]) {
            const raw = await rawSocket(gateway);
            raw.write(frame(TEXT, '{"type":"ping"}'), frame(CLOSE, payload));
            const echo = await raw.closeFrame();
            // A Close without a code may be answered without one or with 1000.
            assert.ok(echo.code === code || (code === 1005 && echo.code === 1000), `answered with ${echo.code}`);
            assert.equal(raw.frames.filter(({ opcode }) => opcode === TEXT).length, 2, 'auth_required and pong');
            await within('end of the connection', PATIENCE_MS, raw.ended);
        }
        const client = await connectClient(gateway);
        assert.equal((await client.close(4000, 'done')).code, 4000);
    });

    const broken = {
        'an unmasked frame': [frame(TEXT, '{"type":"ping"}', { masked: false }), 1002],
        'a reserved bit': [frame(TEXT, '{"type":"ping"}', { rsv: 4 }), 1002],
        'another reserved bit': [frame(TEXT, '{"type":"ping"}', { rsv: 1 }), 1002],
        'a reserved data opcode': [frame(3, 'x'), 1002],
        'a reserved control opcode': [frame(11, 'x'), 1002],
        'a ping of 126 bytes': [frame(PING, 'x'.repeat(126)), 1002],
        'a fragmented ping': [frame(PING, 'x', { fin: false }), 1002],
        'a continuation of nothing': [frame(CONTINUATION, 'x'), 1002],
        'a new message inside a fragmented one': [Buffer.concat([frame(TEXT, 'a', { fin: false }), frame(TEXT, 'b')]), 1002],
        'a Close of one byte': [frame(CLOSE, 'x'), 1002],
        'a Close with a code that may not be sent': [frame(CLOSE, closePayload(1005)), 1002],
        'a Close with a code out of range': [frame(CLOSE, closePayload(999)), 1002],
        'a Close reason that is not UTF-8': [frame(CLOSE, Buffer.concat([closePayload(1000), Buffer.from([0xc3, 0x28])])), 1007],
        'a binary message': [frame(BINARY, 'x'), 1003],
        'text that is not UTF-8': [frame(TEXT, Buffer.from([0x22, 0xff, 0x22])), 1007],
        'text that breaks off inside a character': [frame(TEXT, Buffer.from([0x22, 0xe2, 0x82])), 1007],
        'a message of one byte too many': [frame(TEXT, 'x'.repeat(65537)), 1009],
        'fragments that add up to too much': [Buffer.concat([frame(TEXT, 'x'.repeat(65000), { fin: false }), frame(CONTINUATION, 'x'.repeat(537))]), 1009],
        'a frame that declares 1 GiB': [frame(TEXT, 'x', { declared: 2 ** 30 }), 1009],
        'a frame that declares 2^63 bytes': [frame(TEXT, 'x', { declared: 2 ** 62 }), 1009],
    };
    for (const [name, [bytes, code]] of Object.entries(broken))
        test(`${name} closes with ${code}`, async () => {
            const raw = await rawSocket(gateway);
            raw.write(bytes);
            const close = await raw.closeFrame();
            assert.equal(close.code, code, close.reason);
            raw.write(frame(CLOSE, closePayload(code)));
            await within('end of the connection', PATIENCE_MS, raw.ended);
        });

    test('the connection ends even if the peer never answers the Close', () =>
        withGateway({}, async own => {
            const raw = await rawSocket(own);
            raw.write(frame(BINARY, 'x'));
            assert.equal((await raw.closeFrame()).code, 1003);
            await within('end of the connection', PATIENCE_MS, raw.ended);
        }));

    test('declaring 1 GiB costs no memory', async () => {
        const [worker] = gateway.pids().workers;
        const before = memoryKiB(worker, 'VmHWM');
        const peers = await Promise.all(Array.from({ length: 8 }, () => rawSocket(gateway)));
        for (const peer of peers)
            peer.write(frame(TEXT, 'x', { declared: 2 ** 30 }));
        for (const peer of peers)
            assert.equal((await peer.closeFrame()).code, 1009);
        assert.ok(memoryKiB(worker, 'VmHWM') - before < 16 << 10);
        peers.forEach(peer => peer.destroy());
    });

    test('a million empty fragments are refused long before they are through', async () => {
        const raw = await rawSocket(gateway);
        const [worker] = gateway.pids().workers;
        const before = memoryKiB(worker);
        const piece = Buffer.concat(Array.from({ length: 10_000 }, () => frame(CONTINUATION, '', { fin: false })));
        raw.write(frame(TEXT, '', { fin: false }));
        let sent = 0;
        const flood = (async () => {
            while (sent < 1_000_000 && !raw.gone && !raw.socket.destroyed) {
                sent += 10_000;
                if (!raw.write(piece))
                    await Promise.race([new Promise(resolve => raw.socket.once('drain', resolve)), raw.ended]);
            }
        })();
        // With a Close in flight the flood may end in a reset; either way the connection is over.
        const code = await raw.closeFrame().then(close => close.code, () => 'reset');
        await within('end of the flood', PATIENCE_MS, Promise.race([flood, raw.ended]));
        assert.ok([1002, 1008, 1009, 'reset'].includes(code), `closed with ${code}`);
        assert.ok(memoryKiB(worker) - before < 1 << 10);
        raw.destroy();
    });

    test('100,000 pings from a peer that does not read cost little memory, and it can go on afterwards', async () => {
        const raw = await rawSocket(gateway, { token: mintToken() });
        const [worker] = gateway.pids().workers;
        const before = memoryKiB(worker);
        raw.socket.pause();
        const total = 100_000;
        for (let i = 1; i <= total; i += 1000)
            raw.write(...Array.from({ length: 1000 }, (_, k) => frame(PING, `${i + k}`.padStart(125, '.'))));
        let [most, taken, since] = [0, -1, Date.now()];
        await until('the gateway takes no more', () => {
            most = Math.max(most, memoryKiB(worker) - before);
            const written = raw.socket.bytesWritten - raw.socket.writableLength;
            if (written !== taken)
                [taken, since] = [written, Date.now()];
            return raw.socket.writableLength === 0 || Date.now() - since > 500;
        });
        assert.ok(most < 1 << 10, `${most} KiB more while the peer did not read`);
        raw.socket.resume();
        await raw.frame(({ opcode, payload }) => opcode === PONG && Number(payload.toString().replaceAll('.', '')) === total);
        const numbers = raw.frames.filter(({ opcode }) => opcode === PONG).map(({ payload }) => Number(payload.toString().replaceAll('.', '')));
        assert.ok(numbers.every((number, i) => i === 0 || number > numbers[i - 1]), 'pongs in the order of the pings');
        raw.write(frame(TEXT, '{"type":"ping","id":"still here"}'));
        assert.equal((await raw.message('pong')).ref, 'still here');
        raw.destroy();
    });
});

describe('heartbeat', () => {
    const env = { WS_PING_INTERVAL: '300', WS_PONG_TIMEOUT: '300' };
    const patient = { WS_PING_INTERVAL: '300', WS_PONG_TIMEOUT: '3000' }; // with whom answers

    test('a client that answers pings stays', () => withGateway({ env: patient }, async own => {
        const client = await signedIn(own);
        for (let i = 0; i < 4; i++)
            await within('ping', PATIENCE_MS, new Promise(resolve => client.ws.once('ping', resolve)));
        assert.equal((await client.settled()).type, 'pong');
        await client.close();
    }));

    test('a silent one is pinged and then closed, and counted', () => withGateway({ env }, async own => {
        const raw = await rawSocket(own);
        await raw.frame(({ opcode }) => opcode === PING);
        assert.equal((await raw.closeFrame()).code, 1001);
        await within('end of the connection', PATIENCE_MS, raw.ended);
        assert.equal(await own.metric('pong_timeouts_total'), 1);
    }));

    test('any frame counts as life', () => withGateway({ env: patient }, async own => {
        const raw = await rawSocket(own);
        const start = Date.now();
        const chatter = setInterval(() => raw.write(frame(TEXT, '{"type":"ping"}')), 100);
        await until('more life than the silent have', () => raw.gone || Date.now() - start > 5_000);
        clearInterval(chatter);
        assert.equal(raw.gone, undefined);
        raw.destroy();
    }));
});

describe('the end', () => {
    test('SIGTERM: everyone is told to reconnect, then closed with 1012', async () => {
        const own = await startGateway({ kafka: kafka.bootstrap, workers: 2 });
        const clients = [];
        for (let i = 0; i < 20; i++)
            clients.push(await signedIn(own, { user: `u${i}` }));
        const waiting = await connectClient(own); // not even authenticated
        const stopped = own.stop();
        for (const client of [...clients, waiting]) {
            const notice = await client.next('reconnect');
            assertEnvelope(notice);
            assert.equal(notice.data.reason, 'drain');
            assert.ok(Number.isInteger(notice.data.afterMs) && notice.data.afterMs >= 0, notice.raw);
            assert.equal((await client.closes()).code, 1012);
        }
        await stopped;
    });

    test('SIGQUIT: stops at once', async () => {
        const own = await startGateway({ kafka: kafka.bootstrap, workers: 2, env: { DRAIN_TIMEOUT: '60000' } });
        const client = await signedIn(own);
        await own.stop({ signal: 'SIGQUIT', deadlineMs: 20_000 });
        await client.closes();
    });
});
