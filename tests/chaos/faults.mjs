// What is done to a running gateway and its surroundings. Each takes the scene ({kafka, redis, gateways, wanderers, random,
// partitions}) and resolves when what it broke is whole again; what the gateway must bring about itself has a deadline.
import { writeFileSync } from 'node:fs';
import { alive, descendantsOf, startGateway, until } from '../integration/harness.mjs';
import { startRedis } from '../integration/redis_server.mjs';
import { pause } from './random.mjs';

const SILENCE_MS = 5_000; // a process that is silent for so long is killed by the supervisor
const HEALED_MS = 90_000;

const one = ({ gateways, random }) => random.of(gateways);

async function replaced(gateway, pid) {
    await until(`a successor of ${pid}`, () => {
        const { ingest, workers } = gateway.pids();
        return !alive(pid) && ingest && ingest !== pid && workers.length === gateway.workers && !workers.includes(pid);
    }, HEALED_MS);
}

async function killWorker(scene) {
    const gateway = one(scene);
    const pid = scene.random.of(gateway.pids().workers);
    process.kill(pid, 'SIGKILL');
    await replaced(gateway, pid);
}

async function killIngest(scene) {
    const gateway = one(scene);
    const pid = gateway.pids().ingest;
    process.kill(pid, 'SIGKILL');
    await replaced(gateway, pid);
}

// Without a supervisor its children end; a new one on the same port begins with history from Kafka.
async function killSupervisor(scene) {
    const gateway = one(scene);
    const family = descendantsOf(gateway.pid);
    process.kill(gateway.pid, 'SIGKILL');
    await until('the children of a dead supervisor to end', () => !family.some(alive), HEALED_MS);
    const successor = await startGateway({ ...gateway.settings, port: gateway.port });
    scene.gateways[scene.gateways.indexOf(gateway)] = Object.assign(successor, { settings: gateway.settings, workers: gateway.workers });
}

async function hang(scene, pid, gateway) {
    process.kill(pid, 'SIGSTOP');
    await replaced(gateway, pid);
}

function hangWorker(scene) {
    const gateway = one(scene);
    return hang(scene, scene.random.of(gateway.pids().workers), gateway);
}

function hangIngest(scene) {
    const gateway = one(scene);
    return hang(scene, gateway.pids().ingest, gateway);
}

// Not long enough to be taken for hung, but for a small ring to go round.
async function delayWorker(scene) {
    const pid = scene.random.of(one(scene).pids().workers);
    process.kill(pid, 'SIGSTOP');
    await pause(scene.random.between(SILENCE_MS / 5, SILENCE_MS / 3));
    process.kill(pid, 'SIGCONT');
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

async function move({ wanderers, random }) {
    for (let n = random.between(5, 15); n > 0; n--) {
        random.of(wanderers).leave();
        await pause(random.between(0, 40));
    }
}

// Each time with another value. Done when every worker has it.
async function reload(scene) {
    const gateway = one(scene);
    const before = await gateway.metric('config_generation');
    writeFileSync(gateway.settings.env.CONFIG_FILE, `WS_PING_INTERVAL=${scene.random.between(20_000, 40_000)}\n`);
    gateway.signal('SIGHUP');
    await until('the reload', async () => await gateway.metric('config_generation') >= before + gateway.workers, HEALED_MS);
}

async function killRedis(scene) {
    const { port } = scene.redis;
    await scene.redis.stop(); // by SIGKILL
    await pause(scene.random.between(100, 1000));
    scene.redis = await startRedis({ port });
}

export const faults = {
    killWorker, killIngest, killSupervisor, hangWorker, hangIngest, delayWorker, killBroker, addPartitions, move, reload, killRedis,
    restartBroker: ({ kafka }) => kafka.restart(),
};
