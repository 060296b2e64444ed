// Sampled routes over real Kafka, two workers: of each key at most one value an interval, always the newest at its end,
// never an older one behind a newer; over joins, resumes, kills and reloads.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { connectClient, mintToken, positionOf, signedIn, startGateway, until } from './harness.mjs';

const SAMPLE_MS = 100, KEYS = 5, PARTITIONS = 2, EVERY_MS = 5, VALUES = 300;
// A value of `held` that is too soon waits for longer than any test takes.
const ROUTES = `price.updates price_update prices,prices:{chainId}:{token} conflate={chainId}:{token} sample=${SAMPLE_MS}
held.updates held trades conflate={token} sample=60000
soon.updates held trades conflate={token} sample=3000
gateway.control @control -
`;
const dir = mkdtempSync(join(tmpdir(), 'moonx-sample-'));
const routes = join(dir, 'routes');
const writeRoutes = text => writeFileSync(routes, text);
let kafka, producer, gateway;

before(async () => {
    kafka = await startKafka();
    await Promise.all(['price.updates', 'held.updates', 'soon.updates', 'gateway.control'].map(topic => kafka.createTopic(topic, PARTITIONS)));
    producer = new Producer(kafka.bootstrap);
    writeRoutes(ROUTES);
    gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2, env: { ROUTES_FILE: routes } });
});

after(async () => {
    await gateway?.stop();
    await producer?.stop();
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
});

const token = (run, n) => `${run}${n}`;
const valuesOf = (client, key) => client.received.filter(({ type, data }) => type === 'price_update' && data.token === key);
const numbersOf = (client, key) => valuesOf(client, key).map(({ data }) => Number(data.price));

// Each key of this run counts up, a value every 5 ms; `between(i)` is told as it goes. When all are in Kafka, the time
// that it took.
async function stream(run, { from = 0, count = VALUES, between = () => {} } = {}) {
    const sent = [], start = performance.now();
    for (let i = 0; i < count; i++) {
        for (let n = 0; n < KEYS; n++)
            sent.push(producer.send('price.updates', { token: token(run, n), chainId: 1, price: String(from + i) }, { partition: n % PARTITIONS }));
        between(i);
        const early = start + (i + 1) * EVERY_MS - performance.now();
        await new Promise(resolve => setTimeout(resolve, Math.max(0, early)));
    }
    await Promise.all(sent);
    return performance.now() - start;
}

const hasAll = (client, run, last) => Array.from({ length: KEYS }, (_, n) => numbersOf(client, token(run, n)).at(-1))
    .every(value => value === last);

function expectRising(client, run) {
    for (let n = 0; n < KEYS; n++) {
        const numbers = numbersOf(client, token(run, n));
        assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), `${token(run, n)}: ${numbers}`);
    }
}

// Of what is not marked: offsets rise within each partition.
function expectOrder(client) {
    const last = new Map();
    for (const { id } of client.received.filter(message => message.type === 'price_update' && !message.snapshot)) {
        const [topic, partition, offset] = id.split(':');
        assert.ok(Number(offset) > (last.get(`${topic}:${partition}`) ?? -1), id);
        last.set(`${topic}:${partition}`, Number(offset));
    }
}

const passedOver = async () => Object.entries(await gateway.metrics())
    .filter(([name]) => /^events_passed_over_total\{worker="\d",topic="price.updates",reason="sampled"\}$/.test(name));

test('200 values a second and key: each client gets one an interval, the last one soon after it was sent, and rising', async () => {
    const clients = await Promise.all(Array.from({ length: 12 }, (_, i) => signedIn(gateway, { user: `u${i}`, channels: [`prices:1:${token('run', 0)}`] })));
    await Promise.all(clients.map(client => client.settled()));
    const took = await stream('run');
    await until('the last value of each key at each client', () => clients.every(client => hasAll(client, 'run', VALUES - 1)), 2_000);
    await Promise.all(clients.map(client => client.settled()));
    const most = took / SAMPLE_MS + 3; // the first, the last, and one for the clocks
    for (const client of clients) {
        expectRising(client, 'run');
        expectOrder(client);
        for (let n = 0; n < KEYS; n++) {
            const numbers = numbersOf(client, token('run', n));
            assert.deepEqual(numbers, [...new Set(numbers)], 'each once, though two of its rooms hear the first key');
            assert.equal(numbers[0], 0, 'the first after a pause comes');
            assert.ok(!valuesOf(client, token('run', n))[0].snapshot, 'and at once');
            assert.ok(numbers.length <= most, `${numbers.length} of ${token('run', n)} in ${took} ms: ${numbers}`);
            assert.ok(numbers.length > 3, `${numbers.length} values`);
        }
    }
    const counted = await passedOver();
    assert.equal(counted.length, 2, 'both workers have clients');
    for (const [name, count] of counted) // what a worker has neither sent nor holds it has counted
        assert.ok(count >= KEYS * (VALUES - most) && count < KEYS * VALUES, `${name} ${count}`);
    assert.equal(await gateway.metric('slow_clients_behind_total'), 0);
    await Promise.all(clients.map(client => client.close()));
});

test('who joins in the middle gets the current values and never an older one, over kills of ingest', async () => {
    const joiners = [], kills = [];
    await stream('join', { between: i => {
        if (i % 20 === 0)
            joiners.push(signedIn(gateway, { user: `j${i}` }));
        if (i === 100 || i === 200)
            kills.push(gateway.kill('ingest'));
    } });
    await Promise.all(kills);
    const clients = await Promise.all(joiners);
    await until('the last value of each key at each client', () => clients.every(client => hasAll(client, 'join', VALUES - 1)));
    for (const client of clients) {
        expectRising(client, 'join');
        expectOrder(client);
    }
    await Promise.all(clients.map(client => client.close()));
});

async function resumed(position, user = 'away') {
    const client = await connectClient(gateway);
    await client.next('auth_required');
    client.send('authenticate', { token: mintToken({ sub: user }), resume: position });
    const answer = await client.next('resumed');
    await until('a position is told: it is live', async () => (await client.settled()).data.position !== undefined);
    return { client, answer };
}

const held = (key, value) => producer.send('held.updates', { token: key, value }, { partition: 0 });
const heldOf = (client, key) => client.all('held').filter(({ data }) => data.token === key)
    .map(({ data, snapshot }) => snapshot ? `${data.value} again` : data.value);

test('a value that waits: a joiner has it at once; a resume whose position is past it has it, also from a new worker', async () => {
    const first = await signedIn(gateway, { user: 'away' });
    await first.settled();
    await held('A', 1);
    await first.next(({ data }) => data?.token === 'A');
    await held('A', 2);
    const { id } = await held('B', 1); // behind it in the partition, and live: the position is past A's second value
    await first.next(message => message.id === id);
    const position = positionOf(first);
    assert.equal(position.topics['held.updates'][0], Number(id.split(':')[2]));
    assert.deepEqual(heldOf(first, 'A'), [1]);
    const joiner = await signedIn(gateway, { user: 'joiner' });
    await joiner.settled();
    assert.deepEqual(heldOf(joiner, 'A'), ['2 again']);
    await Promise.all([first.close(), joiner.close()]);
    for (const kill of [false, true]) {
        if (kill) {
            for (const pid of gateway.pids().workers)
                await gateway.kill('worker', pid);
            await gateway.started();
        }
        const { client, answer } = await resumed(position);
        assert.deepEqual(answer.data, { recovered: true, count: 0 });
        assert.deepEqual(heldOf(client, 'A'), ['2 again'], 'the value that it was never sent');
        assert.ok(client.received.findIndex(({ type }) => type === 'held') > client.received.indexOf(client.all('resumed')[0]));
        await client.close();
    }
});

test('who joins in the middle of an interval gets the value that waits once, and a newer one when it is due', async () => {
    const soon = (key, value) => producer.send('soon.updates', { token: key, value }, { partition: 0 });
    const first = await signedIn(gateway, { user: 'first' });
    await first.settled();
    await soon('X', 1);
    await soon('Y', 1);
    await until('it is live, and has the first values', () => heldOf(first, 'X').length === 1 && heldOf(first, 'Y').length === 1);
    await soon('X', 2);
    await soon('Y', 2);
    const behind = await soon('Z', 1); // when it is here, this worker has read the values that wait
    await first.next(({ id }) => id === behind.id);
    const joiners = await Promise.all(Array.from({ length: 6 }, (_, i) => signedIn(gateway, { user: `middle${i}` })));
    await Promise.all(joiners.map(joiner => joiner.settled()));
    for (const joiner of joiners)
        assert.deepEqual([heldOf(joiner, 'X'), heldOf(joiner, 'Y')], [['2 again'], ['2 again']]);
    await soon('Y', 3); // who is still held reads it in the ring, the others get it late
    const clients = [first, ...joiners];
    const numbers = (client, key) => heldOf(client, key).map(value => parseInt(value, 10));
    await until('both values at the end of their interval', () => heldOf(first, 'X').length === 2 && clients.every(client => numbers(client, 'Y').at(-1) === 3));
    await Promise.all(clients.map(client => client.settled()));
    assert.deepEqual([heldOf(first, 'X'), heldOf(first, 'Y')], [[1, '2 again'], [1, '3 again']]);
    for (const joiner of joiners)
        assert.deepEqual([numbers(joiner, 'X'), numbers(joiner, 'Y')], [[2], [2, 3]]);
    await Promise.all(clients.map(client => client.close()));
});

test('workers are killed in the middle of intervals: who comes back and resumes ends with the last value, and nothing goes back', async () => {
    const clients = await Promise.all(Array.from({ length: 6 }, (_, i) => signedIn(gateway, { user: `k${i}` })));
    await Promise.all(clients.map(client => client.settled()));
    const shown = clients.map(() => []); // each one's connections, one after the other
    let end, over = false, killing = Promise.resolve();
    const ended = new Promise(resolve => (end = resolve));
    const living = clients.map(async (client, i) => {
        for (;;) {
            shown[i].push(client);
            await Promise.race([client.closed, ended]);
            if (over)
                return;
            const position = positionOf(client);
            ({ client } = await until('a worker that answers', () => resumed(position, `k${i}`).catch(() => null), 20_000));
        }
    });
    await stream('kill', { between: i => {
        if (i % 60 === 59)
            killing = killing.then(() => gateway.kill('worker', gateway.pids().workers[i % 2]));
    } });
    await killing;
    await gateway.started();
    await stream('kill', { from: VALUES, count: 20 });
    await until('everybody is back', () => shown.every(list => !list.at(-1).ended));
    over = true;
    end();
    await Promise.all(living);
    for (const list of shown) {
        await until('the last values', () => hasAll(list.at(-1), 'kill', VALUES + 19));
        for (const client of list) {
            expectRising(client, 'kill');
            expectOrder(client);
        }
        for (let n = 0; n < KEYS; n++) {
            const ends = list.flatMap(client => [numbersOf(client, token('kill', n)).at(0), numbersOf(client, token('kill', n)).at(-1)]).filter(value => value !== undefined);
            assert.deepEqual(ends, [...ends].sort((a, b) => a - b), `from connection to connection: ${ends}`);
        }
        await list.at(-1).close();
    }
});

test('a reload takes the sampling away, and gives another: nothing that waited comes behind a newer value', async () => {
    const client = await signedIn(gateway, { user: 'reload' });
    await client.settled();
    let replaced = 0;
    const reload = async text => {
        writeRoutes(text);
        gateway.signal('SIGHUP');
        replaced++;
        await until('another ingest', () => [...gateway.output.matchAll(/reload: ingest is replaced[\s\S]*?ingest started/g)].length === replaced, 20_000);
    };
    await held('R', 1);
    await client.next(({ data }) => data?.token === 'R');
    await held('R', 2);
    const behind = await held('S', 1); // when it is here, the workers have read the value that waits
    await client.next(({ id }) => id === behind.id);
    await reload(ROUTES.replace(' sample=60000', ''));
    for (const value of [3, 4]) {
        const { id } = await held('R', value);
        await client.next(message => message.id === id, 20_000);
    }
    await reload(ROUTES.replace('sample=60000', 'sample=50'));
    for (const value of [5, 6, 7])
        await held('R', value);
    await client.next(({ data }) => data?.token === 'R' && data.value === 7, 20_000);
    await client.settled();
    const values = heldOf(client, 'R').map(value => parseInt(value, 10));
    assert.deepEqual(heldOf(client, 'R').slice(0, 3), [1, 3, 4]);
    assert.deepEqual(values, [...new Set(values)].sort((a, b) => a - b));
    await client.close();
});
