// A conflated room that holds more than the ring, over real Kafka: what a slow client still lacks is overwritten
// in the ring before it is read, and comes from the table of current values.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { signedIn, startGateway, until } from './harness.mjs';

// A round is four times what the ring holds, and more than two sockets do between them.
const KEYS = 2000, PADDING = 'x'.repeat(8000), RING_BYTES = 4 << 20;
let kafka, producer, gateway, reader;

before(async () => {
    kafka = await startKafka();
    await kafka.createTopic('price.updates', 1);
    producer = new Producer(kafka.bootstrap);
    gateway = await startGateway({ kafka: kafka.bootstrap, workers: 1, env: { RING_BYTES: String(RING_BYTES),
        SNAPSHOT_BYTES: String(64 << 20), HISTORY_SECONDS: '0', WS_MAX_QUEUE_BYTES: '65536', WS_SLOW_TIMEOUT: '120000' } });
    reader = await signedIn(gateway, { user: 'reader' });
    await reader.settled();
});

after(async () => {
    await reader?.close();
    await gateway?.stop();
    await producer?.stop();
    await kafka?.stop();
});

const live = client => client.received.filter(({ type, snapshot }) => type === 'price_update' && !snapshot);
const newest = client => new Map(live(client).map(({ data }) => [data.token, Number(data.price)]));

// In parts that the reader has had, so that the ring is never what is slow for it.
async function round(value) {
    for (let from = 0; from < KEYS; from += 100) {
        const sent = await Promise.all(Array.from({ length: 100 }, (_, n) =>
            producer.send('price.updates', { token: `T${from + n}`, chainId: 1, price: String(value), padding: PADDING }, { partition: 0 })));
        await reader.next(({ id }) => id === sent.at(-1).id, 60_000);
    }
}

async function hasAll(client, value) {
    await until(`${value} of each key`, () => {
        assert.ok(!client.ended, 'it is closed');
        const values = newest(client);
        return values.size === KEYS && [...values.values()].every(has => has === value);
    }, 60_000);
    await client.settled();
}

function expectRisingOffsets(client) {
    const offsets = live(client).map(({ id }) => Number(id.split(':')[2]));
    assert.ok(offsets.every((offset, i) => i === 0 || offset > offsets[i - 1]), 'in the order of the partition');
}

test('who was slow gets every key\'s newest value in order, and is told exactly what it was spared', async () => {
    const slow = await signedIn(gateway, { user: 'slow' });
    await slow.settled();
    slow.ws.pause();
    await round(0);
    await round(1);
    await until('it falls behind', async () => await gateway.metric('slow_clients_behind_total') > 0);
    slow.ws.resume();
    await hasAll(slow, 1);
    expectRisingOffsets(slow);
    const told = slow.all('skipped').reduce((sum, { data }) => sum + data.count, 0);
    assert.equal(told, 2 * KEYS - live(slow).length);
    assert.ok(slow.all('skipped').every(({ data }) => data.reason === 'CONFLATED'));
    assert.equal(await gateway.metric('slow_clients_closed_total').catch(() => 0), 0);
    await slow.close();
});
