// What clients publish: up to real Kafka and back down, over two workers and two gateways; what is refused; what counts
// once; and what becomes of it while broker, ingest and worker are killed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startKafka } from '../kafka/kafka.mjs';
import { signedIn, startGateway } from './harness.mjs';

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
