// Conflated routes and clients that fall behind, over real Kafka: sockets that stop reading, resumes, kills. What must
// always hold: the newest value of each key arrives in the end, what is not conflated is whole and in order, and who
// was slow is told how much it was spared.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { Recorder } from '../checker/recorder.mjs';
import { assertSame, connectClient, mintToken, positionOf, signedIn, startGateway, until } from './harness.mjs';

const KEYS = 20, PARTITIONS = 2;
// A round is more than the gateway queues for a client, and all rounds more than two sockets hold between them.
const PADDING = 'x'.repeat(4000), ROUNDS = 120;
let kafka, producer, gateway, recorder;

const token = n => `T${String(n).padStart(2, '0')}`;
const price = (n, value) => ['price.updates', { token: token(n), chainId: 1, price: String(value), padding: PADDING }, { partition: n % PARTITIONS }];
const trade = n => ['trade.updates', { tradeId: `t${n}` }, { partition: n % PARTITIONS }];
const isEvent = message => /^[a-z.-]+:\d+:\d+$/.test(message.id);
const valuesOf = (client, n) => client.received.filter(({ type, data }) => type === 'price_update' && data.token === token(n));

before(async () => {
    kafka = await startKafka();
    await Promise.all(['price.updates', 'trade.updates'].map(topic => kafka.createTopic(topic, PARTITIONS)));
    producer = new Producer(kafka.bootstrap);
});

after(async () => {
    await producer?.stop();
    await kafka?.stop();
});

// No history: all that a client may see is sent, and recorded, by its own test.
beforeEach(async () => {
    recorder = new Recorder();
    gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2, env: {
        WS_MAX_QUEUE_BYTES: '65536', HISTORY_SECONDS: '0', RING_BYTES: String(64 << 20) } });
});

afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
});

async function send(...list) {
    const sent = await Promise.all(list.map(([topic, value, options]) => producer.send(topic, value, options)));
    sent.forEach(({ id }, i) => recorder.sent(list[i][0], list[i][1], id));
    return sent;
}

// A round: every key a newer value, and a trade between.
const round = value => send(...Array.from({ length: KEYS }, (_, n) => price(n, value)), trade(value));

// Waits for a reader that is in time, so that Kafka and the ring are not what is slow.
async function rounds(reader, from, to) {
    let last;
    for (let value = from; value < to; value++) {
        last = await round(value);
        if (value % 10 === 9 || value === to - 1)
            await Promise.all(last.map(({ id }) => reader.next(message => message.id === id && !message.snapshot)));
    }
    return last;
}

// It has read on to the end: the newest of each key and the newest trade have come, and a ping is answered.
async function caughtUp(client, last, value) {
    await until('the newest of each key', () => Array.from({ length: KEYS }, (_, n) => n)
        .every(n => valuesOf(client, n).at(-1)?.data.price === String(value)));
    await client.next(({ id }) => id === last.at(-1).id);
    await client.settled();
}

// A key's values only grow up to the newest, and there are fewer of them than were sent: so many were left out.
function expectNewest(client, value, sentRounds) {
    for (let n = 0; n < KEYS; n++) {
        const live = valuesOf(client, n).filter(({ snapshot }) => !snapshot).map(({ data }) => Number(data.price));
        assert.equal(live.at(-1), value, token(n));
        assertSame(live, [...new Set(live)].sort((a, b) => a - b), token(n));
    }
    const prices = client.received.filter(({ type, snapshot }) => type === 'price_update' && !snapshot).length;
    assert.ok(prices < KEYS * sentRounds * 0.9, `${prices} of ${KEYS * sentRounds} values came: that is the backlog`);
    return KEYS * sentRounds - prices;
}

const skippedBy = client => client.all('skipped').filter(({ data }) => data.reason === 'CONFLATED').reduce((sum, { data }) => sum + data.count, 0);

describe('a client that stops reading', () => {
    let reader, slow;

    beforeEach(async () => {
        reader = await signedIn(gateway, { user: 'reader' }, { recorder });
        slow = await signedIn(gateway, { user: 'slow' }, { recorder });
        await slow.settled();
        await reader.settled();
    });

    async function over() {
        await Promise.all([reader.close(), slow.close()]);
        recorder.verify({ events: KEYS * ROUNDS + ROUNDS });
    }

    test('gets the newest value of each key when it reads again, every trade in order, and is told what it was spared', async () => {
        slow.ws.pause();
        const last = await rounds(reader, 0, ROUNDS);
        await until('it falls behind', async () => await gateway.metric('slow_clients_behind_total') > 0);
        slow.ws.resume();
        await caughtUp(slow, last, ROUNDS - 1);
        const spared = expectNewest(slow, ROUNDS - 1, ROUNDS);
        assert.equal(slow.all('trade_update').length, ROUNDS);
        assert.equal(skippedBy(slow), spared);
        assert.equal(slow.all('skipped').filter(({ data }) => data.reason !== 'CONFLATED').length, 0);
        const figures = await gateway.metrics();
        const counted = Object.entries(figures).filter(([name]) => /^events_passed_over_total\{worker="\d",topic="price.updates",reason="conflated"\}$/.test(name));
        assert.equal(counted.reduce((sum, [, count]) => sum + count, 0), spared, JSON.stringify(counted));
        assert.equal(await gateway.metric('events_passed_over_total'), spared, 'of no other topic, for no other reason');
        // and live again: every value
        await rounds(reader, ROUNDS, ROUNDS + 2);
        await slow.next(({ data, snapshot }) => data?.price === String(ROUNDS + 1) && data.token === token(KEYS - 1) && !snapshot);
        await slow.settled();
        assert.deepEqual(valuesOf(slow, 0).slice(-2).map(({ data }) => Number(data.price)), [ROUNDS, ROUNDS + 1]);
        recorder.seen(reader, last.at(-1).id);
        recorder.seen(slow, last.at(-1).id);
        await over();
    });

    test('again and again, while values go on and ingest is killed: the newest always arrives in the end', async () => {
        let last;
        for (let from = 0; from < ROUNDS; from += ROUNDS / 4) {
            slow.ws.pause();
            last = await rounds(reader, from, from + ROUNDS / 4);
            const more = rounds(reader, ROUNDS + from, ROUNDS + from + 1); // while it reads
            slow.ws.resume();
            if (from === ROUNDS / 4)
                await gateway.kill('ingest');
            last = await more;
        }
        await caughtUp(slow, last, ROUNDS + ROUNDS * 3 / 4);
        assert.equal(slow.all('trade_update').length, ROUNDS + 4);
        last.forEach(({ id }) => recorder.seen(slow, id));
        await over();
    });
});

describe('a client that comes back', () => {
    async function comesBack(position) {
        const client = await connectClient(gateway, { recorder });
        await client.next('auth_required');
        client.send('authenticate', { token: mintToken({ sub: 'away' }), resume: position });
        return { client, answer: await client.next('resumed') };
    }

    for (const kills of [false, true])
        test(`gets each key's newest value once, behind \`resumed\`, and all trades${kills ? ', after kills of ingest and worker' : ''}`, async () => {
            const reader = await signedIn(gateway, { user: 'reader' }, { recorder });
            const one = await signedIn(gateway, { user: 'away' }, { recorder });
            const first = await rounds(reader, 0, 1);
            await one.next(({ id }) => id === first.at(-1).id);
            await until('all of the first round', () => one.received.filter(isEvent).filter(({ snapshot }) => !snapshot).length >= KEYS + 1);
            const position = positionOf(one);
            await one.close();
            await rounds(reader, 1, 10);
            if (kills)
                await gateway.kill('ingest');
            const last = await rounds(reader, 10, 20);
            let back = reader;
            if (kills) {
                for (const pid of gateway.pids().workers)
                    await gateway.kill('worker', pid);
                await gateway.started();
                await reader.closes();
                back = await signedIn(gateway, { user: 'reader' }, { recorder });
            }
            const { client, answer } = await comesBack(position);
            assert.equal(answer.data.recovered, true, answer.raw);
            assert.equal(answer.data.count, KEYS + 19, answer.raw);
            await caughtUp(client, last, 19);
            assert.ok(client.received.findIndex(isEvent) > client.received.indexOf(client.all('resumed')[0]), 'nothing before the answer');
            assert.deepEqual(client.received.filter(isEvent).filter(({ snapshot }) => snapshot), [], 'each key has come by the resume');
            for (let n = 0; n < KEYS; n++)
                assert.deepEqual(valuesOf(client, n).map(({ data }) => data.price), ['19']);
            assert.equal(client.all('trade_update').length, 19);
            const next = await rounds(back, 20, 21);
            await Promise.all(next.map(({ id }) => client.next(message => message.id === id)));
            next.forEach(({ id }) => recorder.seen(client, id));
            await Promise.all([client.close(), kills ? back.close() : reader.close()]);
            recorder.verify({ events: 21 * (KEYS + 1) });
        });

    test('and whose position has left the window is told so, and then gets the snapshots of its rooms', async () => {
        const reader = await signedIn(gateway, { user: 'reader' }, { recorder });
        await rounds(reader, 0, 3);
        const { data: { position: { epoch, topics } } } = await reader.settled();
        const position = { epoch, topics: Object.fromEntries(Object.entries(topics).map(([topic, offsets]) => [topic, offsets.map(() => -1)])) };
        const { client, answer } = await comesBack(position);
        assert.deepEqual(answer.data, { recovered: false, reason: 'TOO_OLD' });
        await client.settled();
        const events = client.received.filter(isEvent);
        assert.deepEqual(events.map(({ snapshot, data }) => [snapshot, data.token, data.price]),
            Array.from({ length: KEYS }, (_, n) => [true, token(n), '2']));
        assert.ok(client.received.indexOf(events[0]) > client.received.findIndex(({ type }) => type === 'resumed'));
        await Promise.all([client.close(), reader.close()]);
        recorder.verify({ events: 3 * (KEYS + 1) });
    });
});
