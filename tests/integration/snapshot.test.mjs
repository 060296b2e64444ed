// Conflated routes: who joins gets the current value of each key at once, in key order, then every newer one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { Recorder } from '../checker/recorder.mjs';
import { connectClient, mintToken, signedIn, startGateway } from './harness.mjs';

const KEYS = 300;
const recorder = new Recorder();
let kafka, producer, gateway;

const token = n => `T${String(n).padStart(4, '0')}`;
const price = (n, value) => ({ token: token(n), chainId: 1, price: String(value) });
const snapshots = client => client.received.filter(message => message.snapshot === true);
const send = (n, value) => producer.send('price.updates', price(n, value), { partition: n % 2 });

before(async () => {
    kafka = await startKafka();
    await kafka.createTopic('price.updates', 2);
    producer = recorder.watch(new Producer(kafka.bootstrap));
    await Promise.all(Array.from({ length: KEYS }, (_, n) => send(n, 'old')));
    await Promise.all(Array.from({ length: KEYS }, (_, n) => send(n, 'first')));
    // So much that a busy test process is never called slow: those who are get the newest values alone (conflation.test.mjs).
    gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2, env: { WS_MAX_QUEUE_BYTES: '16777216' } });
});

after(async () => {
    await gateway?.stop();
    await producer?.stop();
    await kafka?.stop();
});

const expectAll = (client, value) => {
    const values = snapshots(client);
    assert.deepEqual(values.map(({ data }) => data.token), Array.from({ length: KEYS }, (_, n) => token(n)));
    assert.deepEqual([...new Set(values.map(({ data }) => data.price))], [value]);
    for (const { id, type, timestamp, raw } of values) {
        assert.match(id, /^price\.updates:[01]:\d+$/);
        assert.equal(type, 'price_update');
        assert.equal(typeof timestamp, 'number');
        assert.ok(raw.endsWith(',"snapshot":true}'), raw);
    }
};

test('history fills the table: the first joiner after the start gets the newest value of each key, in key order', async () => {
    const client = await signedIn(gateway);
    await client.settled();
    expectAll(client, 'first');
    const types = client.received.map(({ type, snapshot }) => snapshot ? 'snapshot' : type);
    assert.ok(types.indexOf('snapshot') > types.indexOf('auto_subscribed'), types.slice(0, 5).join());
    await client.close();
});

test('with channels named in authenticate all answers come before the first value', async () => {
    const client = await signedIn(gateway, { channels: ['prices:1:T0001', 'trades'] });
    await client.settled();
    const types = client.received.map(({ type, snapshot }) => snapshot ? 'snapshot' : type);
    assert.deepEqual(types.slice(0, 6), ['auth_required', 'auth_success', 'auto_subscribed', 'subscribed', 'subscribed', 'snapshot']);
    await client.close();
});

test('a newer value comes live, not marked, and the next joiner has it in place of the old one', async () => {
    const first = await signedIn(gateway);
    await Promise.all(Array.from({ length: KEYS }, (_, n) => send(n, 'second')));
    await Promise.all(Array.from({ length: KEYS }, (_, n) => first.next(({ data, snapshot }) => data.token === token(n) && data.price === 'second' && !snapshot)));
    const second = await signedIn(gateway);
    await second.settled();
    expectAll(second, 'second');
    await Promise.all([first.close(), second.close()]);
});

test('a token with the handshake: every value since comes, not only the newest', async () => {
    const client = await connectClient(gateway, { headers: { authorization: `Bearer ${mintToken({ sub: 'bearer' })}` } });
    await client.next('auto_subscribed');
    const values = Array.from({ length: 20 }, (_, i) => `quick-${i}`);
    for (const value of values)
        await send(0, value);
    await client.next(({ data }) => data.price === values.at(-1));
    assert.deepEqual(client.received.filter(({ data, snapshot }) => !snapshot && data.price?.startsWith('quick-')).map(({ data }) => data.price), values);
    await client.close();
    await send(0, 'second');
});

test('a finer room has its own key alone; a room joined already sends none', async () => {
    const client = await signedIn(gateway);
    await client.settled();
    client.received.length = 0;
    assert.equal((await client.request('subscribe', { channel: `prices:1:${token(7)}` })).type, 'subscribed');
    await client.settled();
    assert.deepEqual(snapshots(client).map(({ data }) => data.token), [token(7)]);
    await client.request('subscribe', { channel: `prices:1:${token(7)}` });
    await client.request('subscribe', { channel: 'prices' });
    await client.settled();
    assert.equal(snapshots(client).length, 1);
    await client.request('unsubscribe', { channel: 'prices' });
    await client.request('subscribe', { channel: 'prices' });
    await client.settled();
    assert.equal(snapshots(client).length, 1 + KEYS);
    await client.close();
});

// Each key's value counts up. Whoever joins in the middle must see, key by key, a snapshot (or none, when the first
// value comes live at once) and from there on every single value.
test('joining in the middle of a stream: neither gap nor double between snapshot and live, over kills of ingest', async () => {
    const RUNNING = 20, ROUNDS = 300, JOINERS = 60, KILLS = [20, 40];
    const clients = [];
    const sending = (async () => {
        for (let round = 0; round < ROUNDS; round++)
            await Promise.all(Array.from({ length: RUNNING }, (_, n) => send(n, 1000 + round)));
    })();
    for (let i = 0; i < JOINERS; i++) {
        clients.push(await signedIn(gateway, { user: `u${i}` }, { recorder }));
        if (KILLS.includes(i))
            await gateway.kill('ingest');
    }
    await sending;
    const lasts = [await send(KEYS - 2, 'last'), await send(KEYS - 1, 'last')]; // one a partition
    await Promise.all(clients.flatMap(client => lasts.map(({ id }) => client.next(message => message.id === id && !message.snapshot))));
    clients.forEach(client => lasts.forEach(({ id }) => recorder.seen(client, id)));
    for (const client of clients)
        for (let n = 0; n < RUNNING; n++) {
            const values = client.received.filter(({ type, data }) => type === 'price_update' && data.token === token(n));
            const shown = values.filter(({ snapshot }) => snapshot), live = values.filter(({ snapshot }) => !snapshot);
            assert.ok(shown.length <= 1, `${shown.length} snapshots of ${token(n)}`);
            assert.ok(shown.length === 0 || values[0].snapshot, 'the snapshot comes first');
            if (shown.length === 1 && shown[0].data.price === 'second')
                assert.equal(live[0]?.data.price, '1000');
            const counted = [...shown, ...live].map(({ data }) => Number(data.price)).filter(Number.isFinite);
            const wrong = counted.findIndex((value, i) => value !== counted[0] + i);
            assert.equal(wrong, -1, `${token(n)}: ${counted[wrong - 1]}, then ${counted[wrong]} (client ${clients.indexOf(client)}: ${shown.length} snapshot, ${live.length} live; ${client.all('skipped').map(({ raw }) => raw)})`);
            assert.equal(counted.at(-1) ?? 1000 + ROUNDS - 1, 1000 + ROUNDS - 1);
        }
    await Promise.all(clients.map(client => client.close()));
    recorder.verify({ events: RUNNING * ROUNDS });
});

test('many joiners at once share the frames', async () => {
    const before = await gateway.metrics();
    const clients = await Promise.all(Array.from({ length: 200 }, () => connectClient(gateway)));
    await Promise.all(clients.map(client => client.authenticate({ user: 'crowd' })));
    await Promise.all(clients.map(client => client.settled()));
    for (const client of clients)
        assert.equal(snapshots(client).length, KEYS);
    assert.equal(await gateway.metric('snapshot_values_sent_total'),
        Object.entries(before).filter(([name]) => name.startsWith('snapshot_values_sent_total')).reduce((sum, [, value]) => sum + value, 0) + 200 * KEYS);
    await Promise.all(clients.map(client => client.close()));
});
