// What happens to Kafka: the broker goes and comes, topics grow, lose their oldest records, are deleted and made anew.
import { until } from '../integration/harness.mjs';
import { HEALED_MS, childOf, one, replaced, signalled } from './faults_process.mjs';
import { PRODUCED, TOPICS } from './load.mjs';
import { pause } from './random.mjs';

// One after the other: an operator, too, waits until the broker is there before he changes a topic.
function inTurn(scene, work) {
    const turn = (scene.kafkaTurn ?? Promise.resolve()).then(() => work(scene));
    scene.kafkaTurn = turn.catch(() => {});
    return turn;
}

async function killBroker({ kafka, random }) {
    await kafka.kill();
    await pause(random.between(0, 1000));
    await kafka.start();
}

async function addPartitions({ kafka, partitions, random }) {
    const topic = random.of(['order.updates', 'trade.updates', 'price.updates']);
    await kafka.addPartitions(topic, ++partitions[topic]);
}

// Who leads a partition dies, or is shut down; another leads, and what is sent to it is heard while the first is away. Over
// when all copies are whole again: the next one may go.
const endLeader = signal => async ({ kafka, load, wanderers, random }) => {
    const topic = random.of(PRODUCED);
    const { partition, leader } = random.of(await kafka.partitions(topic));
    const node = kafka.nodes[leader - 1];
    await node.end(signal);
    await kafka.settled(topic, seen => ![leader, -1].includes(seen[partition].leader));
    const name = await load.one(topic, partition);
    await until('what the new leader has', () => wanderers[0].has(name), HEALED_MS);
    await kafka.start([node]);
    for (const known of Object.keys(TOPICS))
        await kafka.settled(known, seen => seen.every(({ replicas, inSync }) => inSync.length === replicas.length));
};

// Retention takes what ingest has not read: it stands still, or is dead, while the topic is cut to its end.
const overrunRetention = death => async scene => {
    const { kafka, load, partitions, random } = scene;
    const gateway = one(scene);
    const topic = random.of(['order.updates', 'trade.updates', 'price.updates']);
    const pid = await childOf(scene, gateway, 'ingest');
    if (!pid || !signalled(pid, 'SIGSTOP'))
        return;
    await pause(random.between(500, 1000));
    await load.flushed();
    await inTurn(scene, () => kafka.trim(topic, partitions[topic]));
    signalled(pid, death);
    if (death === 'SIGKILL')
        await replaced(gateway, pid);
};

// Everything else is under load meanwhile, and clients stay: they get all of the new topic, from its first event.
async function recreateTopic(scene) {
    const { kafka, load, partitions } = scene;
    const topic = 'trade.updates';
    await load.hold(topic);
    await kafka.deleteTopic(topic);
    await pause(scene.random.of([0, scene.random.between(0, 3000)]));
    await kafka.createTopic(topic, partitions[topic]);
    const life = load.anew(topic);
    scene.wanderers.forEach(({ current }) => current && scene.recorder.anew(current, topic, life));
}

export const kafkaFaults = {
    killBroker: scene => inTurn(scene, killBroker),
    killLeader: scene => inTurn(scene, endLeader('SIGKILL')),
    moveLeader: scene => inTurn(scene, endLeader('SIGTERM')),
    restartBroker: scene => inTurn(scene, ({ kafka }) => kafka.restart()),
    addPartitions: scene => inTurn(scene, addPartitions),
    recreateTopic: scene => inTurn(scene, recreateTopic),
    overrunRetention: overrunRetention('SIGCONT'),
    overrunRetentionAndKill: overrunRetention('SIGKILL'),
};
