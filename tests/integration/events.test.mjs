// Events on their way from a real producer through real Kafka to foreign clients: every message of
// moonx-protocol(7) with its text unchanged, who gets it and who does not, and what becomes of bad values.
// All of it with both ways of writing to sockets.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Producer, produceMany, startKafka } from '../kafka/kafka.mjs';
import { assertSame, ioUringAllowed, mintToken, moonxClient, ownerOfConnection, shell, signedIn, startGateway, until } from './harness.mjs';

const TOPICS = ['price.updates', 'order.updates', 'portfolio.updates', 'trade.updates', 'notification.updates',
    'user-action.updates', 'system.alerts', 'gateway.events', 'gateway.control', 'wallet.updates'];

// topic, type, the value as bytes on the wire; the odd spacing and number forms must survive.
const SAMPLES = [
    ['price.updates', 'price_update', '{"token":"ETH","chainId":1,"price":"2150.45","priceUsd":2150.450,"change24h":-2.50,"volume24h":1.5e9,"timestamp":1700000000000}'],
    ['price.updates', 'price_update', '{ "token" : "BTC" , "price":10500.25,\t"chainId":56, "volume24h":123456789012345678901234567890.10 }'],
    ['order.updates', 'order_update', '{"orderId":"o-1","userId":"alice","status":"filled","tokenIn":"ETH","tokenOut":"USDC","amountIn":"1.000","amountOut":"2150.450000","chainId":1}'],
    ['portfolio.updates', 'portfolio_update', '{"userId":"alice","totalValue":10500.25,"tokens":[{"token":"ETH","balance":"2.50","valueUsd":5376.125},{"token":"USDC","balance":"0","valueUsd":0.0}],"chainId":1}'],
    ['trade.updates', 'trade_update', '{"tradeId":"t-1","userId":"bob","tokenIn":"ETH","tokenOut":"USDC","amountIn":"1","amountOut":"2150.45","txHash":"0xabc","chainId":1}'],
    ['notification.updates', 'notification', '{"userId":"alice","type":"success","title":"Order filled","message":"Größe: 1 ETH 🚀 \\"ok\\" \\u00e4","actionUrl":"/orders/o-1","timestamp":1700000000000}'],
    ['user-action.updates', 'user_action', '{"action":"like","targetId":"p-9","targetType":"post","userId":"bob","metadata":{"deep":{"er":[1,2.0,null,true]}},"timestamp":1700000000000}'],
    ['system.alerts', 'system_alert', '{"level":"warning","message":"maintenance","at":1e3}'],
];

const EXPECTED_COUNTERS = ['events_rejected_total', 'kafka_tombstones_total'];

let kafka, producer;

before(async () => {
    kafka = await startKafka();
    await Promise.all(TOPICS.map(topic => kafka.createTopic(topic, 2)));
    producer = new Producer(kafka.bootstrap);
});

after(async () => {
    await producer?.stop();
    await kafka?.stop();
});

// A worker that stands still may be the one whose turn it is to answer: then another connection is tried.
async function metricsOfLiveWorker(gateway, name) {
    const text = await Promise.any(Array.from({ length: 32 }, async () => (await gateway.get('/metrics')).text()));
    return Number(new RegExp(`^moonx_${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

const isEvent = id => message => message.id === id;

// What one partition has given before this event has come when this one has.
async function fence(client, topic, data, options) {
    const { id } = await producer.send(topic, data, options);
    return client.next(isEvent(id));
}

for (const flush of ['io_uring', 'sendmsg'])
    describe(`events by ${flush}`, { skip: flush === 'io_uring' && !ioUringAllowed() }, () => {
        let gateway, alice, bob;

        before(async () => {
            gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2, flush });
            alice = await signedIn(gateway, { user: 'alice', channels: ['user_actions'] });
            bob = await signedIn(gateway, { user: 'bob', channels: ['user_actions'] });
        });

        after(async () => {
            await alice?.close();
            await bob?.close();
            await gateway?.stop();
        });

        for (const [topic, type, value] of SAMPLES)
            test(`${type}: ${value.slice(0, 40)}… arrives as it was written`, async () => {
                const where = await producer.send(topic, value, { partition: 1, key: 'k' });
                const event = await alice.next(isEvent(where.id));
                assert.deepEqual(Object.keys(event).filter(key => key !== 'raw').sort(), ['data', 'id', 'timestamp', 'type'], event.raw);
                assert.equal(event.type, type);
                assert.equal(event.id, `${topic}:1:${where.offset}`);
                assert.equal(event.timestamp, where.timestamp, 'Kafka\'s own timestamp');
                assert.deepEqual(event.data, JSON.parse(value));
                assert.ok(event.raw.includes(`"data":${value}`), `not byte by byte: ${event.raw}`);
            });

        test('an envelope is unwrapped and wrapped again: its data untouched, its id as sourceId', async () => {
            const data = '{"token":"ETH","chainId":1,"price":"2150.4500"}';
            const value = `{"id":"upstream-17","type":"price_update","timestamp":5,"data":${data},"more":1}`;
            const where = await producer.send('price.updates', value);
            const event = await alice.next(isEvent(where.id));
            assert.equal(event.sourceId, 'upstream-17');
            assert.equal(event.type, 'price_update');
            assert.equal(event.timestamp, where.timestamp);
            assert.ok(event.raw.includes(`"data":${data}`), event.raw);
        });

        test('a value whose type is another, or whose data is no object, is bare data', async () => {
            for (const value of ['{"type":"other","data":{"token":"X"},"token":"ETH","price":1}', '{"type":"price_update","data":7,"token":"ETH","price":1}']) {
                const event = await alice.next(isEvent((await producer.send('price.updates', value)).id));
                assert.equal(event.type, 'price_update');
                assert.ok(event.raw.includes(`"data":${value}`), event.raw);
            }
        });

        test('personal events reach their owner alone', async () => {
            const before_ = bob.received.length;
            for (const [topic, data] of [
                ['order.updates', { orderId: 'o-2', userId: 'alice', status: 'open' }],
                ['portfolio.updates', { userId: 'alice', totalValue: 1 }],
                ['notification.updates', { userId: 'alice', title: 't', message: 'm' }],
            ]) {
                const { id } = await producer.send(topic, data, { partition: 0 });
                await alice.next(isEvent(id));
                await fence(bob, topic, { ...data, userId: 'bob', orderId: 'o-3' }, { partition: 0 });
            }
            const seen = bob.received.slice(before_).filter(({ data }) => data.userId === 'alice');
            assert.deepEqual(seen, []);
            assert.equal(alice.received.filter(({ data, type }) => data.userId === 'bob' && type !== 'trade_update' && type !== 'user_action').length, 0);
        });

        test('a user whose id begins like another\'s is somebody else', async () => {
            const alicia = await signedIn(gateway, { user: 'alice2' });
            const { id } = await producer.send('order.updates', { orderId: 'x', userId: 'alice' }, { partition: 0 });
            await fence(alicia, 'order.updates', { orderId: 'y', userId: 'alice2' }, { partition: 0 });
            assert.equal(alicia.received.some(isEvent(id)), false);
            await alicia.close();
        });

        test('all of a user\'s connections get a personal event, on whichever worker they are', async () => {
            const more = [];
            for (let i = 0; i < 8; i++)
                more.push(await signedIn(gateway, { user: 'alice' }));
            const { id } = await producer.send('order.updates', { orderId: 'o-4', userId: 'alice' });
            for (const client of [alice, ...more])
                await client.next(isEvent(id));
            for (const client of more)
                await client.close();
        });

        test('a user id that is a number keeps its text', async () => {
            const client = await signedIn(gateway, { user: 9007199254740993n.toString() });
            const { id } = await producer.send('order.updates', '{"orderId":1,"userId":9007199254740993}');
            const event = await client.next(isEvent(id));
            assert.ok(event.raw.includes('"userId":9007199254740993}'));
            await client.close();
        });

        test('a notification without a user goes to all who subscribed to notifications', async () => {
            const listener = await signedIn(gateway, { user: 'carol', channels: ['notifications'] });
            const { id } = await producer.send('notification.updates', { title: 'all', message: 'hello' }, { partition: 0 });
            await listener.next(isEvent(id));
            await fence(alice, 'notification.updates', { title: 'a', message: 'b', userId: 'alice' }, { partition: 0 });
            assert.equal(alice.received.some(isEvent(id)), false, 'alice joined only her own');
            await listener.close();
        });

        test('an event in several rooms of one connection arrives once', async () => {
            await alice.request('subscribe', { channels: ['prices:1:ETH'] });
            const data = { token: 'ETH', chainId: 1, price: '1' };
            const { id } = await producer.send('price.updates', data, { partition: 0 });
            await alice.next(isEvent(id));
            await fence(alice, 'price.updates', data, { partition: 0 });
            assert.equal(alice.received.filter(isEvent(id)).length, 1);
            await alice.request('unsubscribe', { channel: 'prices:1:ETH' });
        });

        test('prices:{chainId}:{token} alone brings only that token, and after leaving nothing comes', async () => {
            const client = await signedIn(gateway, { user: 'dave', channels: ['prices:1:ETH'] });
            await client.request('unsubscribe', { channel: 'prices' });
            const send = (token, chainId) => producer.send('price.updates', { token, chainId, price: '1' }, { partition: 0 });
            const passed = () => fence(client, 'gateway.events', { type: 'fence', room: 'user:dave', data: {} }, { partition: 0 });
            await send('BTC', 1);
            await send('ETH', 56);
            const wanted = await send('ETH', 1);
            await client.next(isEvent(wanted.id));
            assert.equal((await client.request('unsubscribe', { channel: 'prices:1:ETH' })).type, 'unsubscribed');
            const { id } = await send('ETH', 1);
            await alice.next(isEvent(id)); // so it is in the ring, before the fence
            await passed();
            const live = () => client.all('price_update').filter(({ snapshot }) => !snapshot).map(event => event.id);
            assert.deepEqual(live(), [wanted.id]);
            await client.request('subscribe', { channel: 'prices' });
            const last = await send('SOL', 1);
            await client.next(isEvent(last.id));
            assert.deepEqual(live(), [wanted.id, last.id]);
            await client.close();
        });

        test('gateway.events: type, room and sender stand in the message', async () => {
            await alice.request('subscribe', { channel: 'chat:lobby' });
            const data = '{"text":"hi","n":1.50}';
            const one = await producer.send('gateway.events', `{"type":"chat_message","room":"chat:lobby","data":${data},"from":"bob"}`, { partition: 0 });
            const event = await alice.next(isEvent(one.id));
            assert.equal(event.type, 'chat_message');
            assert.equal(event.from, 'bob');
            assert.ok(event.raw.includes(`"data":${data}`), event.raw);
            const two = await producer.send('gateway.events', { type: 'ticker', rooms: ['chat:lobby', 'user:bob', 'prices', 'no room!'], data: {} }, { partition: 0 });
            await bob.next(isEvent(two.id));
            await alice.next(isEvent(two.id));
            const three = await producer.send('gateway.events', { type: 'hello', room: 'user:alice', data: { a: 1 } }, { partition: 0 });
            assert.equal('from' in await alice.next(isEvent(three.id)), false);
            await fence(bob, 'gateway.events', { type: 'hello', room: 'user:bob', data: {} }, { partition: 0 });
            assert.equal(bob.received.some(isEvent(one.id)) || bob.received.some(isEvent(three.id)), false);
            assert.equal(alice.received.filter(isEvent(two.id)).length, 1, 'in two of its rooms, once');
        });

        test('gateway.control is never sent to clients', async () => {
            const { id } = await producer.send('gateway.control', { type: 'revoke', data: {}, room: 'prices', userId: 'alice', token: 'ETH', price: 1 });
            await fence(alice, 'price.updates', { token: 'ETH', price: 1 });
            await fence(alice, 'price.updates', { token: 'ETH', price: 2 });
            assert.equal(alice.received.some(isEvent(id)), false);
        });

        test('bad values are counted and skipped, and the next good one arrives', async () => {
            const nested = depth => `{"token":"ETH","price":1,"deep":${'['.repeat(depth)}${']'.repeat(depth)}}`;
            const bad = [
                'not json', '[]', '"text"', '17', 'null', '{"token":"ETH","price":1', '{"token":"ETH","price":1} x', '{"token":"ETH","price":01}',
                '{"token":"ETH"}', '{"price":1}', '{"token":"E\\u0000","price":1}', '\ufeff{"token":"ETH","price":1}', nested(40),
                Buffer.from('{"token":"\xff","price":1}', 'latin1'), Buffer.from('{"token":"ETH\0","price":1}'),
                '{"token":"ETH","token":"BTC","price":1,"chainId":1}', Buffer.alloc(900_000, 'x'), '{"token":"\\ud800","price":1}',
            ];
            const counted = async () => Object.fromEntries(await Promise.all(EXPECTED_COUNTERS.map(async name => [name, await gateway.metric(name)])));
            const start = await counted();
            const ids = [];
            for (const value of bad)
                ids.push((await producer.send('price.updates', value, { partition: 1 })).id);
            for (const value of [null, ''])
                ids.push((await producer.send('price.updates', value, { partition: 1 })).id);
            await fence(alice, 'price.updates', { token: 'ETH', price: 1 }, { partition: 1 });
            const end = await counted();
            const passed = ids.filter(id => alice.received.some(isEvent(id)));
            assert.deepEqual(passed.map(id => bad[ids.indexOf(id)]), []);
            assert.equal(end.events_rejected_total - start.events_rejected_total, bad.length);
            assert.equal(end.kafka_tombstones_total - start.kafka_tombstones_total, 2);
        });

        test('what decides who gets an event may not stand there twice', async () => {
            const { id } = await producer.send('order.updates', '{"orderId":"1","userId":"bob","userId":"alice"}', { partition: 0 });
            await fence(alice, 'order.updates', { orderId: '2', userId: 'alice' }, { partition: 0 });
            await fence(bob, 'order.updates', { orderId: '2', userId: 'bob' }, { partition: 0 });
            assert.equal([alice, bob].some(client => client.received.some(isEvent(id))), false);
        });

        test('kcat as producer, the project\'s own client as consumer', async () => {
            const own = moonxClient(['--url', gateway.url, '--token', mintToken({ sub: 'erin' }), '--count', '2', '--timeout', '60']);
            await own.line(/auto_subscribed/);
            for (const price of ['1.10', '1.20']) {
                const kcat = shell(`echo '{"token":"KCAT","chainId":1,"price":${price}}' | kcat -P -b ${kafka.bootstrap} -t price.updates -p 0 -k KCAT`);
                assert.equal((await kcat.exited).code, 0, kcat.errors);
            }
            assert.ok((await own.line(/"price":1\.10}/)).includes('"id":"price.updates:0:'));
            await own.line(/"price":1\.20}/);
            assert.deepEqual(await own.exited, { code: 0, signal: null });
        });

        test('each connection saw each partition in order, each event once', () => {
            for (const client of [alice, bob]) {
                const last = new Map();
                for (const { id, type, snapshot } of client.received) {
                    const found = /^([a-z.-]+:\d+):(\d+)$/.exec(id);
                    if (!found || snapshot)
                        continue;
                    assert.ok(Number(found[2]) > (last.get(found[1]) ?? -1), `${type} ${id} after ${last.get(found[1])}`);
                    last.set(found[1], Number(found[2]));
                }
                assert.ok(last.size >= 6);
            }
        });

        test('no worker was woken late, and none was lapped', async () => {
            assert.ok(await gateway.metric('records_matched_total') > 0);
            assert.equal(await gateway.metric('late_wakes_total'), 0);
            assert.equal(await gateway.metric('records_lapped_total'), 0);
        });

        // Half of what the queue holds at a time, so that who reads is never behind; until the counter has moved. What was sent.
        const produceUntil = async (own, good, counter) => {
            const filler = 'x'.repeat(8000);
            const offsets = [];
            for (let portion = 0; portion < 1000 && await own.metric(counter) === 0; portion++) {
                const sent = await Promise.all(Array.from({ length: 4 }, (_, n) =>
                    producer.send('trade.updates', { tradeId: `${portion}.${n}`, filler }, { partition: 0 })));
                offsets.push(...sent.map(({ offset }) => offset));
                await good.next(isEvent(`trade.updates:0:${offsets.at(-1)}`));
            }
            assert.equal(await own.metric(counter), 1);
            return offsets;
        };
        const offsetsOf = client => client.all('trade_update').map(({ id }) => Number(id.split(':')[2]));

        test('a client that does not read for a while reads on from the ring, and misses nothing', async () => {
            const own = await startGateway({ kafka: kafka.bootstrap, flush, env: { WS_MAX_QUEUE_BYTES: '65536' } });
            const good = await signedIn(own, { user: 'good' });
            const slow = await signedIn(own, { user: 'slow' });
            slow.ws.pause();
            const sent = await produceUntil(own, good, 'slow_clients_behind_total');
            sent.push(...(await produceMany(kafka.bootstrap, { count: 500, rate: 10_000, partitions: 1, templates: [['trade.updates', '{"tradeId":"{n}"}']] }))
                .map(({ offset }) => offset).sort((a, b) => a - b));
            await good.next(isEvent(`trade.updates:0:${sent.at(-1)}`));
            await until('only the slow one is behind', async () => await own.metric('connections_catching_up') === 1);
            assert.ok(await own.metric('queued_bytes') < 1 << 20, 'the ring is its queue');
            slow.ws.resume();
            await slow.next(isEvent(`trade.updates:0:${sent.at(-1)}`));
            await until('live again', async () => await own.metric('connections_catching_up') === 0);
            const [last] = await produceMany(kafka.bootstrap, { count: 1, rate: 1, partitions: 1, templates: [['trade.updates', '{"tradeId":"{n}"}']] });
            await slow.next(isEvent(`trade.updates:0:${last.offset}`));
            assertSame(offsetsOf(good), [...sent, last.offset], 'the good one');
            assertSame(offsetsOf(slow), [...sent, last.offset], 'the slow one');
            assert.equal(await own.metric('slow_clients_closed_total'), 0);
            await own.stop();
        });

        test('a client that takes nothing for WS_SLOW_TIMEOUT is closed with 1013; the others see every event', async () => {
            const own = await startGateway({ kafka: kafka.bootstrap, flush, env: { WS_MAX_QUEUE_BYTES: '65536', WS_SLOW_TIMEOUT: '3000' } });
            const good = await signedIn(own, { user: 'good' });
            const slow = await signedIn(own, { user: 'slow' });
            slow.ws.pause();
            const sent = await produceUntil(own, good, 'slow_clients_behind_total');
            await until('it is given up', async () => await own.metric('slow_clients_closed_total') === 1);
            slow.ws.resume();
            assert.equal((await slow.closes()).code, 1013);
            assertSame(offsetsOf(good), sent, 'the good one');
            assertSame(offsetsOf(slow), sent.slice(0, offsetsOf(slow).length), 'what it was sent before has no gap');
            await good.close();
            // What remains is the open block and the answer to this question.
            await until('memory is given back', async () => await own.metric('queued_bytes') < 32_768 && await own.metric('frame_bytes') < 1 << 20);
            await own.stop();
        });
    });

// Not "slow": the worker was late, the client reads. Only a full socket may cost a client its connection.
for (const flush of ['io_uring', 'sendmsg'])
    test(`a burst far longer than the queue does not close a client that reads (${flush})`,
        { skip: flush === 'io_uring' && !ioUringAllowed() }, async () => {
            const gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2, flush, env: { WS_MAX_QUEUE_BYTES: '16384' } });
            const client = await signedIn(gateway, { user: 'reader' });
            const { workers } = gateway.pids();
            const worker = ownerOfConnection(gateway.port, client.ws._socket.localPort, workers);
            const before = await gateway.metric('ring_records_total');
            const filler = 'x'.repeat(900);
            [gateway.pid, worker].forEach(pid => process.kill(pid, 'SIGSTOP')); // the supervisor too: it would call the worker hung
            let results;
            try {
                results = await Promise.all(Array.from({ length: 300 }, (_, n) =>
                    producer.send('trade.updates', { tradeId: `${n}`, filler }, { partition: 0 })));
                await until('all are in the ring', async () => (await metricsOfLiveWorker(gateway, 'ring_records_total')) - before >= results.length);
            } finally {
                [worker, gateway.pid].forEach(pid => process.kill(pid, 'SIGCONT'));
            }
            await client.next(isEvent(results.at(-1).id));
            assert.equal(client.all('trade_update').length, results.length);
            await client.close();
            await gateway.stop();
        });

describe('a routing table of one\'s own', () => {
    const dir = mkdtempSync(join(tmpdir(), 'moonx-routes-'));
    const routes = join(dir, 'routes');
    let gateway;

    before(async () => {
        writeFileSync(routes, `# topic        type           rooms                                           options
wallet.updates  wallet_update  user:{userIds[]},chat:{order.room}  require=order
price.updates   quote          prices
`);
        gateway = await startGateway({ kafka: kafka.bootstrap, env: { ROUTES_FILE: routes } });
    });

    after(async () => {
        await gateway?.stop();
        rmSync(dir, { recursive: true, force: true });
    });

    test('arrays and nested fields make rooms, types are the table\'s', async () => {
        const [alice, bob, carol] = await Promise.all(['alice', 'bob', '77'].map(user => signedIn(gateway, { user })));
        await carol.request('subscribe', { channel: 'chat:desk-1' });
        const value = '{"userIds":["alice",77,"not a room!",null],"order":{"room":"desk-1","amount":1.10}}';
        const { id } = await producer.send('wallet.updates', value, { partition: 0 });
        for (const client of [alice, carol]) {
            const event = await client.next(isEvent(id));
            assert.equal(event.type, 'wallet_update');
            assert.ok(event.raw.includes(`"data":${value}`), event.raw);
        }
        await fence(bob, 'wallet.updates', { userIds: ['bob', 77], order: {} }, { partition: 0 });
        assert.equal(bob.received.some(isEvent(id)), false);
        await fence(carol, 'wallet.updates', { userIds: [77], order: {} }, { partition: 0 });
        assert.equal(carol.received.filter(isEvent(id)).length, 1, 'by two rooms, once');
        const quote = await producer.send('price.updates', '{"bid":1.0}');
        assert.equal((await bob.next(isEvent(quote.id))).type, 'quote');
        for (const client of [alice, bob, carol])
            await client.close();
    });
});
