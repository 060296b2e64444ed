// What clients publish: up to real Kafka and back down, over two workers and two gateways; what is refused; what counts
// once; and what becomes of it while broker, ingest and worker are killed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { PATIENCE_MS, assertCounted, shell, signalTo, signedIn, startGateway, until, within } from './harness.mjs';
import { publishMany } from './publisher.mjs';

const TOPICS = ['price.updates', 'order.updates', 'portfolio.updates', 'trade.updates', 'notification.updates',
    'user-action.updates', 'system.alerts', 'gateway.events', 'gateway.control', 'gateway.dead-letter'];
const ROOM = 'chat:lobby';
const EVENT_ID = /^gateway\.events:\d+:\d+$/;

let kafka;

before(async () => {
    kafka = await startKafka();
    await Promise.all(TOPICS.map(topic => kafka.createTopic(topic, topic === 'gateway.events' ? 4 : 1)));
});

after(() => kafka?.stop());

const metric = async (gateway, name) =>
    Number(new RegExp(`^moonx_${name} (\\d+)$`, 'm').exec(await (await gateway.get('/metrics')).text())?.[1]);

describe('publish', () => {
    let one, two, alice, bob, carol;

    before(async () => {
        one = await startGateway({ kafka: kafka.bootstrap, workers: 2, env: { INSTANCE_ID: 'one' } });
        two = await startGateway({ kafka: kafka.bootstrap, workers: 2, env: { INSTANCE_ID: 'two' } });
        alice = await signedIn(one, { user: 'alice', channels: [ROOM] });
        bob = await signedIn(one, { user: 'bob', channels: [ROOM] });
        carol = await signedIn(two, { user: 'carol', channels: [ROOM] });
    });

    after(async () => {
        await one?.stop();
        await two?.stop();
    });

    test('everybody in the room has it, the publisher too, on every host, byte by byte', async () => {
        const text = '{"n": 10500.250, "s":"2150.45\\u00e4", "big":123456789012345678901234567890.10, "a":[1e3 , null]}';
        alice.sendText(`{"type":"publish","id":"p1","data":{"room":"${ROOM}","event":"said","payload":${text}}}`);
        const answer = await alice.next(message => message.ref === 'p1');
        assert.equal(answer.type, 'published', answer.raw);
        assert.match(answer.data.id, EVENT_ID);
        for (const client of [alice, bob, carol]) {
            const event = await client.next('said');
            assert.equal(event.id, answer.data.id);
            assert.equal(event.from, 'alice');
            assert.ok(event.raw.includes(`"data":${text}`), event.raw);
        }
    });

    test('a message that is sent again with its id counts once; without one it counts each time', async () => {
        const message = { room: ROOM, event: 'once', payload: { n: 1 } };
        const named = [];
        for (let i = 0; i < 3; i++) {
            alice.send('publish', message, { id: 'same' });
            named.push(await alice.next(reply => reply.ref === 'same'));
        }
        const elsewhere = await signedIn(two, { user: 'alice' });
        elsewhere.send('publish', message, { id: 'same' });
        named.push(await elsewhere.next(reply => reply.ref === 'same'));
        await elsewhere.close();
        // In one go: neither has been consumed when both are reported.
        for (let i = 0; i < 2; i++)
            alice.send('publish', { ...message, event: 'twice' }, { id: 'both' });
        const both = [await alice.next(reply => reply.ref === 'both'), await alice.next(reply => reply.ref === 'both')];
        for (let i = 0; i < 2; i++) {
            alice.send('publish', { ...message, event: 'each' });
            await alice.next('published');
        }
        assert.equal((await alice.request('publish', { ...message, event: 'end' })).type, 'published');
        for (const client of [alice, bob, carol]) {
            await client.next('end');
            assert.equal(client.all('once').length, 1);
            assert.equal(client.all('twice').length, 1);
            assert.equal(client.all('each').length, 2);
            const [{ id }] = client.all('once');
            assert.deepEqual(named.map(({ type, data }) => [type, data.id]), named.map(() => ['published', id]), 'each answer names the event that came');
            assert.deepEqual(both.map(({ data }) => data.id), both.map(() => client.all('twice')[0].id));
        }
        assert.equal(await metric(one, 'kafka_duplicates_total'), 4);
        assert.equal(await metric(two, 'kafka_duplicates_total'), 4);
    });

    test('the same id says nothing about another user, or about other words', async () => {
        alice.send('publish', { room: ROOM, event: 'word', payload: { n: 1 } }, { id: '1' });
        alice.send('publish', { room: ROOM, event: 'word', payload: { n: 2 } }, { id: '1' });
        bob.send('publish', { room: ROOM, event: 'word', payload: { n: 1 } }, { id: '1' });
        const seen = [];
        for (let i = 0; i < 3; i++) {
            const { from, data } = await carol.next('word');
            seen.push(`${from} ${data.n}`);
        }
        assert.deepEqual(seen.sort(), ['alice 1', 'alice 2', 'bob 1']);
    });

    test('what is not right is refused, each with its code', async () => {
        const good = { room: ROOM, event: 'said', payload: {} };
        const table = [
            [{}, 'INVALID_MESSAGE'],
            [{ ...good, room: 5 }, 'INVALID_MESSAGE'],
            [{ ...good, event: '' }, 'INVALID_MESSAGE'],
            [{ ...good, event: 'x'.repeat(65) }, 'INVALID_MESSAGE'],
            [{ ...good, event: undefined }, 'INVALID_MESSAGE'],
            [{ ...good, payload: 'text' }, 'INVALID_MESSAGE'],
            [{ ...good, payload: undefined }, 'INVALID_MESSAGE'],
            ...['price_update', 'published', 'publish', 'error', 'skipped', 'system_alert', 'authenticate', 'typing']
                .map(event => [{ ...good, event }, 'INVALID_MESSAGE']),
            [{ ...good, room: 'prices' }, 'PERMISSION_DENIED'],
            [{ ...good, room: 'system_alerts' }, 'PERMISSION_DENIED'],
            [{ ...good, room: 'user:alice' }, 'PERMISSION_DENIED'],
            [{ ...good, room: 'orders:bob' }, 'PERMISSION_DENIED'],
            [{ ...good, room: 'nowhere' }, 'UNKNOWN_CHANNEL'],
            [{ ...good, room: 'chat:a b' }, 'UNKNOWN_CHANNEL'],
            [{ ...good, room: '' }, 'UNKNOWN_CHANNEL'],
        ];
        for (const [data, code] of table) {
            const answer = await alice.request('publish', data);
            assert.equal(answer.data.code, code, `${JSON.stringify(data)}: ${answer.raw}`);
        }
        alice.sendText(`{"type":"publish","id":"e","data":{"room":"${ROOM}","event":"pric\\u0065_update","payload":{}}}`);
        assert.equal((await alice.next(message => message.ref === 'e')).data.code, 'INVALID_MESSAGE');
        alice.sendText(`{"type":"publish","id":"t","data":{"room":"${ROOM}","room":"chat:b","event":"said","payload":{}}}`);
        assert.equal((await alice.next(message => message.ref === 't')).data.code, 'INVALID_MESSAGE');
    });

    test('typing goes to the others, on every host, and not to who types', async () => {
        alice.send('typing', { room: ROOM, isTyping: true }, { id: 'ty' });
        for (const client of [bob, carol]) {
            const event = await client.next('typing');
            assert.deepEqual(event.data, { room: ROOM, userId: 'alice', isTyping: true });
        }
        await alice.request('publish', { room: ROOM, event: 'fence', payload: {} });
        await alice.next('fence');
        assert.equal(alice.all('typing').length, 0);
        assert.equal(bob.all('typing').length, 1);
        assert.match(bob.all('typing')[0].id, /^live-[0-9a-f]{16}:\d+$/, 'here before Kafka has it');
        await carol.next('fence');
        assert.equal(carol.all('typing').length, 1);
        assert.match(carol.all('typing')[0].id, EVENT_ID, 'on the other host by way of Kafka');
        assert.equal((await alice.request('typing', { room: ROOM })).data.code, 'INVALID_MESSAGE');
        assert.equal((await alice.request('typing', { room: ROOM, isTyping: 'yes' })).data.code, 'INVALID_MESSAGE');
        assert.equal((await alice.request('typing', { room: 'prices', isTyping: true })).data.code, 'PERMISSION_DENIED');
    });

    test('a notification to oneself; to another only with the right to publish there', async () => {
        const note = { type: 'success', title: 'Done "x"', message: 'Größe 1', actionUrl: '/orders/1' };
        const answer = await alice.request('notification', note);
        assert.equal(answer.type, 'notification_received', answer.raw);
        assert.equal(answer.data.processed, true);
        assert.match(answer.data.id, EVENT_ID);
        const event = await alice.next('notification');
        assert.equal(event.id, answer.data.id);
        assert.deepEqual(event.data, { ...note, timestamp: answer.data.timestamp });
        assert.equal((await alice.request('notification', { ...note, userId: 'alice' })).type, 'notification_received');
        assert.equal((await alice.request('notification', { ...note, userId: 'bob' })).data.code, 'PERMISSION_DENIED');
        for (const wrong of [{ type: 'fatal' }, { title: undefined }, { title: '' }, { message: 7 }, { actionUrl: 7 }, { userId: 'a b' }, { userId: [] }])
            assert.equal((await alice.request('notification', { ...note, ...wrong })).data.code, 'INVALID_NOTIFICATION_DATA',
                JSON.stringify(wrong));
        assert.equal(bob.all('notification').length, 0);
    });

    test('a user action to all who listen, with the user set by the server', async () => {
        await bob.request('subscribe', { channel: 'user_actions' });
        await carol.request('subscribe', { channel: 'user_actions' });
        const action = { action: 'like', targetId: 'p-9', targetType: 'post', metadata: { a: [1, 2.5] } };
        const answer = await alice.request('user_action', { ...action, userId: 'mallory' });
        assert.equal(answer.type, 'action_completed', answer.raw);
        assert.deepEqual([answer.data.action, answer.data.targetId], ['like', 'p-9']);
        assert.ok(answer.data.result && answer.data.timestamp);
        for (const client of [bob, carol])
            assert.deepEqual((await client.next('user_action')).data,
                { ...action, userId: 'alice', timestamp: answer.data.timestamp });
        alice.sendText('{"type":"user_action","id":"n","data":{"action":"follow","targetId":12345678901234567890,"targetType":"user"}}');
        assert.ok((await alice.next(message => message.ref === 'n')).raw.includes('"targetId":12345678901234567890'));
        assert.ok((await bob.next('user_action')).raw.includes('"targetId":12345678901234567890,'));
        for (const wrong of [{ action: 'hate' }, { targetType: 'x' }, { targetId: '' }, { targetId: null }, { metadata: 1 }])
            assert.equal((await alice.request('user_action', { ...action, ...wrong })).data.code, 'INVALID_ACTION_DATA',
                JSON.stringify(wrong));
    });
});

describe('dead letters', () => {
    let gateway, alice, producer;

    before(async () => {
        gateway = await startGateway({ kafka: kafka.bootstrap, env: { INSTANCE_ID: 'third' } });
        alice = await signedIn(gateway, { user: 'alice', channels: [ROOM] });
        producer = new Producer(kafka.bootstrap);
    });

    after(async () => {
        await producer?.stop();
        await gateway?.stop();
    });

    test('a value that cannot be routed is kept as it came, with where and why', async () => {
        const value = '{"type":"said", "data":{}, "room":"not a room"}';
        const { partition, offset } = await producer.send('gateway.events', value, { key: 'k7' });
        await producer.send('price.updates', 'no JSON');
        await until('two dead letters', async () => await metric(gateway, 'dead_letters_total') === 2);
        const reader = shell(`kcat -b ${kafka.bootstrap} -t gateway.dead-letter -C -o beginning -e -q -f '%k|%h|%s\\n'`);
        assert.equal(await reader.line(/no JSON/),
            '|topic=price.updates,partition=0,offset=0,error=the value is not valid JSON,instance=third|no JSON');
        assert.equal(await reader.line(/not a room/),
            `k7|topic=gateway.events,partition=${partition},offset=${offset},error=no valid room comes out,instance=third|${value}`);
        await reader.stop();
        assert.equal(await metric(gateway, 'dead_letters_lost_total'), 0);
    });

    test('one as long as Kafka takes is kept whole', async () => {
        const before = await metric(gateway, 'kafka_produced_total');
        await producer.send('system.alerts', 'x'.repeat(1_040_000));
        await until('kept', async () => await metric(gateway, 'kafka_produced_total') > before);
        const reader = shell(`kcat -b ${kafka.bootstrap} -t gateway.dead-letter -C -o beginning -e -q -f '%S %h\\n'`);
        assert.match(await reader.line(/system\.alerts/), /^1040000 topic=system\.alerts,/);
        await reader.stop();
        assert.equal(await metric(gateway, 'dead_letters_lost_total'), 0);
    });

    test('what bad values are consumed for goes on, and a flood of them is bounded', async () => {
        await Promise.all(Array.from({ length: 1000 }, (_, i) => producer.send('trade.updates', `bad ${i}`)));
        await until('all seen', async () => await metric(gateway, 'dead_letters_total') + await metric(gateway, 'dead_letters_lost_total') === 1003);
        assert.ok(await metric(gateway, 'dead_letters_lost_total') > 0);
        assert.equal((await alice.request('publish', { room: ROOM, event: 'fine', payload: {} })).type, 'published');
        await alice.next('fine');
    });
});

describe('publish under fire', () => {
    let gateway, alice, bob;

    before(async () => {
        gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2, env: { INSTANCE_ID: 'fire' } });
        alice = await signedIn(gateway, { user: 'alice', channels: [ROOM] });
        bob = await signedIn(gateway, { user: 'bob', channels: [ROOM] });
    });

    after(async () => {
        await gateway?.stop();
        if (!kafka.pid)
            await kafka.start();
    });

    const ingestPid = () => Number([...gateway.output.matchAll(/ingest started, pid (\d+)/g)].at(-1)[1]);
    const numbers = (client, event) => client.all(event).map(message => message.data.n);

    const publishTo = (event, count, payload) => publishMany(alice, { room: ROOM, event, count, payload, lanes: 200, restMs: 100, deadlineMs: 120_000 });

    test('20,000 publishes to a room keep their order for everybody', { timeout: 300_000 }, async () => {
        const count = 20_000;
        const answers = await publishTo('many', count);
        assert.equal(answers.filter(answer => answer.is === 'published').length, count);
        for (const client of [alice, bob]) {
            await until('all events', () => client.all('many').length === count);
            const seen = numbers(client, 'many');
            assert.equal(seen[0], 0);
            assertCounted(seen, `what ${client.user} saw`);
        }
    });

    test('ingest killed in the middle: what was answered published came, and came once', { timeout: 300_000 }, async () => {
        const answers = await publishTo('killed', 3000, n => {
            if (n === 500 || n === 1500)
                signalTo(ingestPid(), 'SIGKILL');
            return { n };
        });
        const published = answers.flatMap((answer, n) => answer.is === 'published' ? [n] : []);
        assert.ok(published.length > 500, `${published.length} published`);
        await until('the last one', () => numbers(bob, 'killed').includes(published.at(-1)));
        const seen = numbers(bob, 'killed');
        assert.equal(new Set(seen).size, seen.length, 'nothing twice');
        assert.deepEqual(published.filter(n => !seen.includes(n)), [], 'nothing lost that was answered published');
    });

    test('the broker away: refused at once; back: published again', { timeout: 300_000 }, async () => {
        await kafka.kill();
        await until('the gateway notices', async () => !(await (await gateway.get('/health')).json()).services.kafka);
        const begun = Date.now();
        assert.equal((await alice.request('publish', { room: ROOM, event: 'said', payload: {} })).data.code, 'SERVICE_UNAVAILABLE');
        alice.send('typing', { room: ROOM, isTyping: false });
        const event = await bob.next(message => message.type === 'typing' && !message.data.isTyping); // nothing but this host is needed for that
        assert.match(event.id, /^live-[0-9a-f]{16}:\d+$/);
        assert.ok(Date.now() - begun < 8_000, 'before it would be given up');
        await kafka.start();
        await until('the gateway notices', async () => (await (await gateway.get('/health')).json()).services.kafka);
        const answer = await until('published', async () => {
            const reply = await alice.request('publish', { room: ROOM, event: 'back', payload: {} });
            return reply.type === 'published' && reply;
        });
        assert.equal((await bob.next(message => message.id === answer.data.id)).type, 'back');
    });

    test('a worker killed in the middle: its clients see a close, its successor publishes', { timeout: 300_000 }, async () => {
        const { workers } = gateway.pids();
        const carl = await signedIn(gateway, { user: 'carl', channels: [ROOM] });
        for (let n = 0; n < 50; n++)
            carl.send('publish', { room: ROOM, event: 'last', payload: { n } }, { id: `l${n}` });
        workers.forEach(pid => signalTo(pid, 'SIGKILL'));
        await within('close', PATIENCE_MS, carl.closed);
        for (const reply of carl.all('published'))
            assert.match(reply.data.id, EVENT_ID);
        const again = await until('a successor', () => signedIn(gateway, { user: 'alice', channels: [ROOM] }).catch(() => null));
        const answer = await again.request('publish', { room: ROOM, event: 'after', payload: {} });
        assert.equal(answer.type, 'published', answer.raw);
        assert.equal((await again.next('after')).id, answer.data.id);
    });
});
