// Positions and resume over real Kafka: who was away gets exactly what he missed, then what comes; or is told why not.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { Recorder } from '../checker/recorder.mjs';
import { assertSame, connectClient, descendantsOf, mintToken, positionOf, signalTo, signedIn, startGateway, until } from './harness.mjs';

const TOPICS = { 'order.updates': 3, 'trade.updates': 2, 'notification.updates': 1, 'price.updates': 2, 'gateway.events': 2 };
let kafka, producer, gateway;

before(async () => {
    kafka = await startKafka();
    for (const [topic, partitions] of Object.entries(TOPICS))
        await kafka.createTopic(topic, partitions);
    producer = new Producer(kafka.bootstrap);
    gateway = await startGateway({ kafka: kafka.bootstrap, workers: 3 });
});

after(async () => {
    await gateway?.stop();
    await producer?.stop();
    await kafka?.stop();
});

const isEvent = message => /^[a-z.-]+:\d+:\d+$/.test(message.id);
const eventsOf = client => client.received.filter(isEvent);
const order = (user, n) => ({ orderId: `o${n}`, userId: user, status: 'open' });
const copyOf = position => JSON.parse(JSON.stringify(position));

// The order of answers is part of the promise, so nothing is skipped here.
async function resumed(own, { user = 'alice', position, channels, extra, recorder } = {}) {
    const client = await connectClient(own, { recorder });
    await client.next('auth_required');
    client.send('authenticate', { token: mintToken({ sub: user }), resume: position, ...(channels ? { channels } : {}), ...extra }, { id: 'come-back' });
    const answer = await client.next('resumed');
    return { client, answer };
}

async function eventsAfter(client, count) {
    await until(`${count} events`, () => eventsOf(client).length >= count);
    await client.settled();
    return eventsOf(client).map(({ id }) => id);
}

// Sends and waits until a client that was never away has it: then every worker can have it.
async function produce(list, own = gateway) {
    const sent = await Promise.all(list.map(([topic, value, options]) => producer.send(topic, value, options)));
    await until('the ring has it', async () => {
        const debug = await (await own.get('/debug/kafka')).json();
        return sent.every(({ topic, partition, offset }) =>
            debug.partitions.some(p => p.topic === topic && p.partition === partition && p.position > offset));
    });
    return sent.map(({ id }) => id);
}

describe('positions', () => {
    test('auto_subscribed, subscribed and pong tell it, for the topics that feed the rooms', async () => {
        const client = await signedIn(gateway, { user: 'alice', channels: ['user_actions'] });
        for (const type of ['auto_subscribed', 'subscribed']) {
            const { position } = client.received.find(message => message.type === type).data;
            assert.equal(position.epoch, '1');
            assert.equal(position.topics['order.updates'].length, 3, JSON.stringify(position));
            assert.ok(!('gateway.control' in position.topics));
        }
        const { data: { position } } = await client.settled();
        assert.equal(position.topics['trade.updates'].length, 2);
        await client.close();
    });

    test('none before authentication', async () => {
        const client = await connectClient(gateway);
        assert.ok(!('position' in (await client.settled()).data));
        await client.close();
    });

    test('it says the offsets that have been sent', async () => {
        const client = await signedIn(gateway, { user: 'pia' });
        const ids = await produce([['order.updates', order('pia', 1), { partition: 1 }], ['order.updates', order('pia', 2), { partition: 1 }]]);
        await eventsAfter(client, 2);
        const { data: { position } } = await client.settled();
        assert.equal(position.topics['order.updates'][1], Number(ids[1].split(':')[2]));
        await client.close();
    });
});

describe('a room that is joined and left in the middle of a stream', () => {
    test('each time its events begin right behind the position told, have no gap, and end with the answer', async () => {
        const client = await signedIn(gateway, { user: 'toni' });
        let on = true;
        const stream = (async () => {
            for (let n = 0; on; n++)
                await Promise.all(Array.from({ length: 10 }, () =>
                    producer.send('gateway.events', { type: 'tick', room: 'chat:stream', data: { n } }, { partition: 1 })));
        })();
        for (let round = 0; round < 200; round++) {
            client.send('subscribe', { channel: 'chat:stream' });
            if (round % 3 === 0)
                client.send('ping', {});
            if (round % 2 === 0)
                await client.next('tick');
            client.send('unsubscribe', { channel: 'chat:stream' });
            if (round % 5 === 0)
                await client.settled();
        }
        await client.settled();
        on = false;
        await stream;
        let next = null, joined = 0, ticks = 0;
        const told = message => message.data.position.topics['gateway.events'][1] + 1;
        for (const message of client.received)
            if (message.type === 'subscribed') {
                next = told(message);
                joined++;
            } else if (message.type === 'unsubscribed') {
                next = null;
            } else if (message.type === 'pong' && next !== null) {
                assert.equal(told(message), next, 'the position of a pong is that of the last event before it');
            } else if (message.type === 'tick') {
                assert.equal(message.id, `gateway.events:1:${next}`, `the ${ticks}th event, ${joined} times joined`);
                next++;
                ticks++;
            }
        assert.equal(joined, 200);
        assert.ok(ticks >= 100, `${ticks} events`);
        await client.close();
    });
});

describe('a resume', () => {
    test('gives the exact complement in order, then live events', async () => {
        const one = await signedIn(gateway, { user: 'rita' });
        await produce([['order.updates', order('rita', 0), { partition: 0 }]]);
        await eventsAfter(one, 1);
        const position = positionOf(one);
        await one.close();
        const missed = [];
        for (let n = 1; n <= 60; n++)
            missed.push(...await produce([
                ['order.updates', order(n % 3 ? 'rita' : 'somebody', n), { partition: n % 3 }],
                ['trade.updates', { tradeId: `t${n}` }, { partition: n % 2 }]].slice(0, n % 2 + 1)));
        const { client, answer } = await resumed(gateway, { user: 'rita', position });
        const types = client.received.slice(0, 4).map(({ type }) => type);
        assert.deepEqual(types, ['auth_required', 'auth_success', 'auto_subscribed', 'resumed']);
        assert.ok(!('position' in client.received[2].data), 'none while catching up');
        assert.equal(answer.ref, 'come-back');
        const mine = missed.filter(id => !id.startsWith('order.updates:0')); // that one is somebody's
        const ids = await eventsAfter(client, answer.data.count);
        assert.deepEqual(answer.data, { recovered: true, count: ids.length });
        assertSame([...ids].sort(), [...mine].sort(), 'what was missed');
        for (const key of ['order.updates:1', 'order.updates:2', 'trade.updates:0', 'trade.updates:1']) {
            const offsets = ids.filter(id => id.startsWith(key)).map(id => Number(id.split(':')[2]));
            assertSame(offsets, [...offsets].sort((a, b) => a - b), key);
        }
        const [live] = await produce([['order.updates', order('rita', 99)]]);
        assert.equal((await client.next(message => message.id === live)).id, live);
        assert.ok((await client.settled()).data.position, 'live again');
        await client.close();
    });

    test('of a position that is up to date misses nothing', async () => {
        const one = await signedIn(gateway, { user: 'uta' });
        const { data: { position } } = await one.settled();
        await one.close();
        const { client, answer } = await resumed(gateway, { user: 'uta', position, channels: ['user_actions'] });
        assert.deepEqual(answer.data, { recovered: true, count: 0 });
        assert.equal(client.received.at(-2).type, 'subscribed');
        await client.close();
    });

    test('topics that are not named start live', async () => {
        const one = await signedIn(gateway, { user: 'nora' });
        const position = positionOf(one);
        await one.close();
        const [trade, own] = await produce([['trade.updates', { tradeId: 'x' }, { partition: 0 }], ['order.updates', order('nora', 1)]]);
        delete position.topics['trade.updates'];
        const { client, answer } = await resumed(gateway, { user: 'nora', position });
        assert.deepEqual(await eventsAfter(client, 1), [own], trade);
        assert.equal(answer.data.count, 1);
        await client.close();
    });

    test('comes by the `resume` message for a client with a token in its handshake', async () => {
        const one = await signedIn(gateway, { user: 'hans' });
        const position = positionOf(one);
        await one.close();
        const missed = await produce([['order.updates', order('hans', 1), { partition: 0 }], ['order.updates', order('hans', 2), { partition: 0 }]]);
        const client = await connectClient(gateway, { headers: { Authorization: `Bearer ${mintToken({ sub: 'hans' })}` } });
        client.send('resume', { position, channels: ['user_actions'] }, { id: 'r' });
        assert.equal((await client.next('subscribed')).ref, 'r');
        assert.deepEqual((await client.next('resumed')).data, { recovered: true, count: 2 });
        assert.deepEqual(await eventsAfter(client, 2), missed);
        // A second one can't be put in order.
        client.send('resume', { position });
        assert.deepEqual((await client.next('resumed')).data, { recovered: false, reason: 'UNKNOWN_POSITION' });
        const [live] = await produce([['order.updates', order('hans', 3)]]);
        await client.next(({ id }) => id === live);
        await client.close();
    });

    test('comes by the `resume` message behind `authenticate`, with an event in between', async () => {
        for (const pipelined of [true, false]) {
            const user = pipelined ? 'otto' : 'olga';
            const one = await signedIn(gateway, { user });
            const position = positionOf(one);
            await one.close();
            const missed = await produce([0, 1].map(n => ['order.updates', order(user, n), { partition: 1 }]));
            const client = await connectClient(gateway);
            client.send('authenticate', { token: mintToken({ sub: user }) });
            const resume = () => client.send('resume', { position });
            if (pipelined)
                resume();
            await client.next('auto_subscribed');
            if (!pipelined)
                resume();
            const [between] = await produce([['order.updates', order(user, 2), { partition: 1 }]]);
            const answer = await client.next('resumed');
            assert.equal(answer.data.recovered, true, answer.raw);
            assert.deepEqual(await eventsAfter(client, 3), [...missed, between]);
            await client.close();
        }
    });

    test('names all the channels that a connection may have, and has the events of each', async () => {
        const own = await startGateway({ kafka: kafka.bootstrap, env: { WS_MAX_SUBSCRIPTIONS: '300' } });
        const channels = Array.from({ length: 300 }, (_, i) => `chat:${i}`);
        const one = await signedIn(own, { user: 'cora' });
        const position = positionOf(one);
        await one.close();
        const missed = await produce([0, 150, 299].map(i => ['gateway.events', { type: 'said', room: `chat:${i}`, data: { i } }, { partition: 0 }]), own);
        const { client, answer } = await resumed(own, { user: 'cora', position, channels });
        assert.deepEqual(answer.data, { recovered: true, count: 3 });
        assert.deepEqual(await eventsAfter(client, 3), missed);
        assert.equal(client.all('subscribed').length, channels.length);
        await client.close();
        await own.stop();
    });

    test('may stand behind other messages of the same write', async () => {
        const one = await signedIn(gateway, { user: 'oda' });
        const position = positionOf(one);
        await one.close();
        const missed = await produce([1, 2].map(n => ['order.updates', order('oda', n), { partition: 0 }]));
        const client = await connectClient(gateway);
        client.ws._socket.cork();
        client.send('authenticate', { token: mintToken({ sub: 'oda' }) });
        client.send('subscribe', { channel: 'user_actions' });
        client.send('resume', { position });
        client.ws._socket.uncork();
        assert.deepEqual((await client.next('resumed')).data, { recovered: true, count: 2 });
        assert.deepEqual(await eventsAfter(client, 2), missed);
        await client.close();
    });

    test('is not waited for once a message has said that none comes: events go out at once, in order, once, and a late one is told so', async () => {
        for (const [i, other] of [['subscribe', { channel: 'user_actions' }], ['ping', {}], ['get_rooms', {}]].entries()) {
            const user = `olga${i}`;
            const one = await signedIn(gateway, { user });
            const position = positionOf(one);
            await one.close();
            const client = await connectClient(gateway);
            client.send('authenticate', { token: mintToken({ sub: user }) });
            await client.next('auto_subscribed');
            const held = await produce([0, 1].map(n => ['order.updates', order(user, n), { partition: 1 }]));
            client.send(...other);
            assert.deepEqual(await eventsAfter(client, 2), held);
            const { data: { position: { topics } } } = await client.request('ping');
            assert.equal(topics['order.updates'][1], Number(held[1].split(':')[2]));
            client.send('resume', { position });
            assert.deepEqual((await client.next('resumed')).data, { recovered: false, reason: 'UNKNOWN_POSITION' });
            const [live] = await produce([['order.updates', order(user, 2), { partition: 1 }]]);
            await client.next(({ id }) => id === live);
            assert.deepEqual(client.received.map(({ id }) => id).filter(id => /^order.updates:/.test(id)), [...held, live]);
            await client.close();
        }
    });

    test('costs who asks for none nothing: with a message right behind `authenticate` the first event is there in less than the moment', async t => {
        const times = { alone: [], followed: [] };
        for (let i = 0; i < 20; i++) {
            for (const way of ['alone', 'followed']) {
                const user = `${way}${i}`;
                const client = await connectClient(gateway);
                await client.next('auth_required');
                client.ws._socket.cork();
                client.send('authenticate', { token: mintToken({ sub: user }) });
                if (way === 'followed')
                    client.send('subscribe', { channel: 'user_actions' });
                client.ws._socket.uncork();
                await client.next('auto_subscribed');
                const began = performance.now();
                const [id] = await produce([['order.updates', order(user, i), { partition: 1 }]]);
                await client.next(message => message.id === id);
                times[way].push(performance.now() - began);
                await client.close();
            }
        }
        const least = { alone: Math.min(...times.alone), followed: Math.min(...times.followed) }; // a busy machine adds to each
        t.diagnostic(`${least.alone.toFixed(0)} ms alone, ${least.followed.toFixed(1)} ms with a message behind it`);
        assert.ok(least.alone >= 190, `alone: ${least.alone} ms`);
        assert.ok(least.followed < 150, `followed: ${least.followed} ms`);
    });

    test('under load, on any worker, has neither gap nor double', async () => {
        const recorder = new Recorder();
        const one = await signedIn(gateway, { user: 'lea' });
        await produce([['order.updates', order('lea', 0)]]);
        await eventsAfter(one, 1);
        const start = positionOf(one);
        await one.close();
        const expected = [];
        let position = start, stop = false;
        const load = (async () => {
            for (let n = 0; !stop; n++) {
                const { id } = await producer.send('order.updates', order('lea', n), { partition: n % 3 });
                recorder.sent('order.updates', order('lea', n), id);
                expected.push(id);
            }
        })();
        const seen = [];
        for (let round = 0; round < 20; round++) {
            const { client, answer } = await resumed(gateway, { user: 'lea', position, recorder });
            assert.equal(answer.data.recovered, true, answer.raw);
            await until('some more', () => eventsOf(client).length >= answer.data.count + 20);
            client.ws.terminate(); // in mid-stream
            await client.closed;
            const got = eventsOf(client);
            position = copyOf(position);
            for (const { id } of got) {
                const [topic, partition, offset] = id.split(':');
                position.topics[topic][partition] = Number(offset);
                seen.push(id);
            }
        }
        stop = true;
        await load;
        const { client, answer } = await resumed(gateway, { user: 'lea', position });
        assert.equal(answer.data.recovered, true, answer.raw);
        await until('the rest', () => seen.length + eventsOf(client).length >= expected.length);
        await client.settled();
        seen.push(...eventsOf(client).map(({ id }) => id));
        await client.close();
        recorder.verify({ events: 400 });
        assert.equal(seen.length, new Set(seen).size, 'no event twice');
        assertSame([...seen].sort(), [...expected].sort(), 'all events');
    });

    test('works after a worker and ingest were killed', async () => {
        const one = await signedIn(gateway, { user: 'kim' });
        const missed = await produce([['order.updates', order('kim', 0), { partition: 0 }]]);
        await eventsAfter(one, 1);
        const position = positionOf(one);
        await one.close();
        missed.length = 0;
        missed.push(...await produce([['order.updates', order('kim', 1), { partition: 0 }]]));
        const restarts = await gateway.metric('process_restarts_total');
        for (const pid of descendantsOf(gateway.pid))
            signalTo(pid, 'SIGKILL');
        await until('all are back', async () => gateway.answers('/ready', 200));
        missed.push(...await produce([['order.updates', order('kim', 2), { partition: 0 }]]));
        const { client, answer } = await resumed(gateway, { user: 'kim', position });
        assert.deepEqual(answer.data, { recovered: true, count: 2 }, `after ${restarts} restarts`);
        assert.deepEqual(await eventsAfter(client, 2), missed);
        await client.close();
    });
});

describe('a position that can not be honoured', () => {
    let good;

    before(async () => {
        const one = await signedIn(gateway, { user: 'ned' });
        good = positionOf(one);
        await one.close();
    });

    const refused = {
        'another epoch': [position => (position.epoch = '2'), 'UNKNOWN_POSITION'],
        'beyond the end': [position => (position.topics['order.updates'][0] = 1e9), 'UNKNOWN_POSITION'],
        'far beyond the end': [position => (position.topics['order.updates'][0] = 2 ** 62), 'UNKNOWN_POSITION'],
        'a foreign topic': [position => (position.topics['no.such.topic'] = [1]), 'UNKNOWN_POSITION'],
        'a partition that is not there': [position => position.topics['order.updates'].push(5), 'UNKNOWN_POSITION'],
    };
    for (const [name, [change, reason]] of Object.entries(refused))
        test(`${name}: ${reason}, then live`, async () => {
            const position = copyOf(good);
            change(position);
            const { client, answer } = await resumed(gateway, { user: 'ned', position });
            assert.deepEqual(answer.data, { recovered: false, reason });
            const [live] = await produce([['order.updates', order('ned', 1)]]);
            await client.next(({ id }) => id === live);
            await client.close();
        });

    const malformed = {
        'a number': 7, 'a list': [], 'no epoch': { topics: {} }, 'an epoch that is a number': { epoch: 1, topics: {} },
        'no topics': { epoch: '1' }, 'topics in a list': { epoch: '1', topics: [] },
        'an offset in quotes': { epoch: '1', topics: { 'order.updates': ['1'] } },
        'half an offset': { epoch: '1', topics: { 'order.updates': [1.5] } },
        'less than -1': { epoch: '1', topics: { 'order.updates': [-2] } },
        '2^63': { epoch: '1', topics: { 'order.updates': [2 ** 63] } },
        'an object of offsets': { epoch: '1', topics: { 'order.updates': { 0: 1 } } },
        '10,000 partitions': { epoch: '1', topics: { 'order.updates': Array(10_000).fill(-1) } },
    };
    test('what is no position is INVALID_MESSAGE, and the connection is live', async () => {
        for (const [name, position] of Object.entries(malformed)) {
            const client = await connectClient(gateway);
            await client.next('auth_required');
            client.send('authenticate', { token: mintToken({ sub: 'ned' }), resume: position });
            assert.equal((await client.next('error')).data.code, 'INVALID_MESSAGE', name);
            assert.ok((await client.settled()).data.position, name);
            assert.equal((await client.request('resume', { position })).data.code, 'INVALID_MESSAGE', name);
            await client.close();
        }
    });

    test('a topic that stands twice is INVALID_MESSAGE', async () => {
        const client = await signedIn(gateway, { user: 'ned' });
        client.sendText('{"id":"d","type":"resume","data":{"position":{"epoch":"1","topics":{"a":[1],"a":[2]}}}}');
        assert.equal((await client.next(({ ref }) => ref === 'd')).data.code, 'INVALID_MESSAGE');
        await client.close();
    });

    test('one that has left the ring is TOO_OLD', async () => {
        const own = await startGateway({ kafka: kafka.bootstrap, env: { RING_BYTES: '1048576' } });
        const one = await signedIn(own, { user: 'otto' });
        const position = positionOf(one);
        await one.close();
        await produce([['order.updates', order('otto', 1), { partition: 0 }]], own);
        for (let n = 0; n < 20; n++)
            await produce(Array.from({ length: 20 }, (_, i) => ['trade.updates', { tradeId: `${n}.${i}`, txHash: 'x'.repeat(4000) }]), own);
        const { client, answer } = await resumed(own, { user: 'otto', position });
        assert.deepEqual(answer.data, { recovered: false, reason: 'TOO_OLD' });
        const [live] = await produce([['order.updates', order('otto', 2)]], own);
        await client.next(({ id }) => id === live);
        await client.close();
        await own.stop();
    });
});
