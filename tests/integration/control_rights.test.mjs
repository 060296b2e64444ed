// A broker whose rules (ACL) keep gateway.control from the gateway: nobody knows what it revokes, so nobody is let in.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { connectClient, mintToken, startGateway, until } from './harness.mjs';

const CONTROL = 'gateway.control';
const GATEWAY = 'ANONYMOUS'; // whom Kafka takes a client without TLS and SASL for
let kafka, gateway;

before(async () => {
    kafka = await startKafka({ properties: [
        'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'allow.everyone.if.no.acl.found=true', ''].join('\n') });
    await kafka.createTopic(CONTROL, 1);
    const producer = new Producer(kafka.bootstrap);
    await producer.send(CONTROL, { type: 'revoke', data: { userId: 'mallory' } });
    await producer.stop();
    await kafka.allow(CONTROL, 'somebody', 'read');
    gateway = await startGateway({ kafka: kafka.bootstrap, ready: false });
});

after(async () => {
    await gateway?.stop();
    await kafka?.stop();
});

async function refusal(user) {
    const client = await connectClient(gateway);
    await client.next('auth_required');
    client.send('authenticate', { token: mintToken({ sub: user }) });
    const { type, data } = await client.next(message => /^auth_(failed|success)$/.test(message.type));
    await client.close();
    return type === 'auth_failed' ? data.code : null;
}

test('without the right to know of the topic the host says so, is not ready, and lets nobody in', async () => {
    await gateway.printed(/"level":"error".*gateway\.control can't be read: Broker: Topic authorization failed/);
    await until('Kafka is up', async () => (await gateway.health()).services.kafka);
    assert.equal((await gateway.get('/ready')).status, 503);
    assert.equal(await refusal('alice'), 'AUTH_UNAVAILABLE');
});

test('the right to know of it is not enough', async () => {
    await kafka.allow(CONTROL, GATEWAY, 'describe');
    await until('the topic is known', async () =>
        (await (await gateway.get('/debug/kafka')).json()).partitions.some(({ topic }) => topic === CONTROL));
    await gateway.printed(/gateway\.control:0: Fetch from broker 1 failed: Broker: Topic authorization failed/);
    assert.equal((await gateway.get('/ready')).status, 503);
    assert.equal(await refusal('alice'), 'AUTH_UNAVAILABLE');
});

test('with the right to read it comes to itself, and knows who was revoked', async () => {
    await kafka.allow(CONTROL, GATEWAY, 'read');
    await gateway.started();
    assert.equal(await refusal('alice'), null);
    assert.equal(await refusal('mallory'), 'TOKEN_REVOKED');
});
