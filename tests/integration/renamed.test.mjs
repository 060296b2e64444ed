// Options by which an operator gives things names and bounds of his own: topics, dead letters, group, librdkafka's
// properties, Redis's keys, the audience, the number of connections. One gateway that has all of them at once.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { connectClient, mintToken, shell, signedIn, startGateway, until } from './harness.mjs';
import { startRedis } from './redis_server.mjs';

const TOPICS = { // by the word of KAFKA_TOPIC_…
    PRICES: 'own.prices', ORDERS: 'own.orders', PORTFOLIO: 'own.portfolio', TRADES: 'own.trades', NOTIFICATIONS: 'own.notifications',
    USER_ACTIONS: 'own.actions', SYSTEM_ALERTS: 'own.alerts', EVENTS: 'own.events', CONTROL: 'own.control',
};
const DEAD = 'own.dead', PREFIX = 'own:keys:', AUDIENCE = 'own-audience', GROUP = 'own-group';
const folder = mkdtempSync(join(tmpdir(), 'moonx-renamed-'));
const properties = join(folder, 'kafka.properties');
let kafka, redis, producer, gateway;

before(async () => {
    chmodSync(folder, 0o755);
    [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
    await Promise.all([...Object.values(TOPICS), DEAD].map(topic => kafka.createTopic(topic, 1)));
    producer = new Producer(kafka.bootstrap);
});

after(async () => {
    await gateway?.stop();
    await producer?.stop();
    await Promise.all([kafka?.stop(), redis?.stop()]);
    rmSync(folder, { recursive: true, force: true });
});

const token = user => mintToken({ sub: user, aud: AUDIENCE });
const enter = (user, more = {}) => signedIn(gateway, { token: token(user), ...more });

test('KAFKA_CONFIG_FILE: its properties are librdkafka\'s, and a reload takes others', async () => {
    writeFileSync(properties, 'security.protocol=ssl\n'); // which this broker does not speak
    gateway = await startGateway({
        kafka: kafka.bootstrap, ready: false, env: {
            KAFKA_CONFIG_FILE: properties, KAFKA_CONSUMER_GROUP_ID: GROUP, INSTANCE_ID: 'here', DEAD_LETTER_TOPIC: DEAD,
            REDIS_URL: redis.url, REDIS_KEY_PREFIX: PREFIX, JWT_AUDIENCE: AUDIENCE, WS_MAX_CONNECTIONS: '3',
            ...Object.fromEntries(Object.entries(TOPICS).map(([word, topic]) => [`KAFKA_TOPIC_${word}`, topic])),
        },
    });
    assert.equal((await (await gateway.get('/ready')).json()).reason, 'waiting for Kafka');
    writeFileSync(properties, 'security.protocol=plaintext\n');
    gateway.signal('SIGHUP');
    await gateway.started();
});

test('JWT_AUDIENCE: a token for somebody else, or for nobody, is refused', async () => {
    for (const claims of [{}, { aud: 'another' }, { aud: ['another', 'third'] }, { aud: `${AUDIENCE}s` }]) {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        assert.equal((await client.request('authenticate', { token: mintToken(claims) })).data.code, 'INVALID_TOKEN', JSON.stringify(claims));
        await client.close();
    }
    const several = await signedIn(gateway, { token: mintToken({ aud: ['another', AUDIENCE] }) });
    await several.close();
});

test('KAFKA_TOPIC_…: the built-in routes hear those topics, and clients publish to them', async () => {
    const client = await enter('alice', { channels: ['user_actions', 'chat:lobby'] });
    for (const [word, value, type] of [
        ['PRICES', { token: 'ETH', chainId: 1, price: 1 }, 'price_update'],
        ['ORDERS', { orderId: 'o', userId: 'alice' }, 'order_update'],
        ['PORTFOLIO', { userId: 'alice' }, 'portfolio_update'],
        ['TRADES', { tradeId: 't' }, 'trade_update'],
        ['NOTIFICATIONS', { userId: 'alice', title: 't', message: 'm' }, 'notification'],
        ['USER_ACTIONS', { action: 'like' }, 'user_action'],
        ['SYSTEM_ALERTS', { text: 'x' }, 'system_alert'],
        ['EVENTS', { type: 'said', room: 'chat:lobby', data: {} }, 'said'],
    ]) {
        const { id } = await producer.send(TOPICS[word], value);
        assert.ok(id.startsWith(`${TOPICS[word]}:`));
        assert.equal((await client.next(event => event.id === id)).type, type);
    }
    const published = await client.request('publish', { room: 'chat:lobby', event: 'greeting', payload: { n: 1 } });
    assert.match(published.data.id, /^own\.events:0:\d+$/);
    const answer = await gateway.get('/admin/disconnect', { method: 'POST', body: JSON.stringify({ userId: 'alice' }) });
    assert.equal(answer.status, 200, await answer.text());
    assert.equal((await client.closes()).code, 1008);
});

// What one kcat says, of one topic from its beginning to its end.
async function consumed(topic, format) {
    const kcat = shell(`kcat -C -q -e -o beginning -b ${kafka.bootstrap} -t ${topic} -f '${format}\\n'`);
    assert.equal((await kcat.exited).code, 0, kcat.errors);
    return kcat.output;
}

test('DEAD_LETTER_TOPIC: what is no event lies there, with where it came from', async () => {
    const { offset } = await producer.send(TOPICS.TRADES, 'no json');
    const expected = new RegExp(`no json .*own\\.trades.*${offset}`);
    await until('the dead letter', async () => expected.test(await consumed(DEAD, '%s %h')));
});

test('KAFKA_CONSUMER_GROUP_ID: under it, and the instance\'s name, lag tools find the commits', async () => {
    await until('a commit', async () => (await consumed('__consumer_offsets', '%k')).includes(`${GROUP}.here`));
});

test('REDIS_KEY_PREFIX: every key begins with it', async () => {
    const client = await enter('bob');
    const keys = () => redis.command('KEYS', '*');
    await until('a key of the user', async () => (await keys()).some(key => key.includes('bob')));
    for (const key of await keys())
        assert.ok(key.startsWith(PREFIX), key);
    await client.close();
});

test('WS_MAX_CONNECTIONS: one more than that is refused with 503, and comes in when another goes', async () => {
    const clients = [];
    await until('nobody is left from before', async () => await gateway.metric('connections') === 0);
    for (const user of ['a', 'b', 'c'])
        clients.push(await enter(user));
    await assert.rejects(enter('d'), /503/);
    await clients.pop().close();
    await until('room for another', () => enter('d').then(client => clients.push(client), () => false));
    await Promise.all(clients.map(client => client.close()));
});
